"""What a study asks: which trials there are, and what the right answer to each would be. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from gandiag.core import seeds
from gandiag.core.errors import InputError, UsageError, shown

Question = Literal["real-or-fake", "a-or-b"]
QUESTIONS: tuple[Question, ...] = get_args(Question)
STUDY_SCHEMA = "gandiag.study/1"
REAL, CATCH = "real", "catch"


@dataclass(frozen=True)
class Trial:
    """One question to a person.

    Attributes:
        id: which says nothing of the answer.
        shown: the images from left to right: `real`, `catch` (a scrambled image that nobody takes for real), or the
            position of a source, with the number of the sample. One image for real-or-fake, two for a-or-b.
    """

    id: str
    shown: tuple[tuple[str, int], ...]

    @property
    def is_catch(self) -> bool:
        """Whether it is there to see that the person looks."""
        return any(role == CATCH for role, _ in self.shown)


@dataclass(frozen=True)
class Key:
    """All that is needed to read the answers to a study; it travels in the page and in every file of answers.

    Attributes:
        study: its id.
        question: what is asked.
        seed: of the choice and order of trials.
        sources: each as a Result describes it.
        reference: as a Result describes it; None where nothing real is shown.
        trials: all of them.
    """

    study: str
    question: Question
    seed: int
    sources: tuple[Mapping[str, Any], ...]
    reference: Mapping[str, Any] | None
    trials: tuple[Trial, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"schema": STUDY_SCHEMA, **asdict(self)}


def choose_trials(question: Question, sources: int, trials: int, catch: int, seed: int) -> tuple[Trial, ...]:
    """`trials` questions and `catch` more that test attention, in an order that the seed decides.

    real-or-fake: half of the trials show a real image, the others an image of each source in turn. a-or-b: each trial
    shows the same sample number of both sources, on sides that the seed decides.

    Raises:
        UsageError: the numbers do not fit the question.
    """
    if question not in QUESTIONS:
        raise UsageError(f"the question is {shown(question)}, expected one of {', '.join(QUESTIONS)}")
    if question == "a-or-b" and sources != 2:
        raise UsageError(f"a-or-b compares two sources, and there {'is 1' if sources == 1 else f'are {sources}'}")
    if trials < 2 * sources or catch < 0:
        raise UsageError(f"{trials} trials with {catch} catch trials are too few for {sources} sources")
    rng = seeds.generator(seed, "study")
    chosen: list[tuple[tuple[str, int], ...]]
    if question == "real-or-fake":
        real = trials // 2
        chosen = [((REAL, index),) for index in range(real)]
        chosen += [((str(index % sources), index // sources),) for index in range(trials - real)]
        chosen += [((CATCH, index),) for index in range(catch)]
    else:
        pairs = [(("0", index), ("1", index)) for index in range(trials)]
        pairs += [((CATCH, index), (str(index % 2), trials + index)) for index in range(catch)]
        chosen = [pair if rng.random() < 0.5 else pair[::-1] for pair in pairs]
    order = rng.permutation(len(chosen))
    return tuple(Trial(_token(seed, number), chosen[place]) for number, place in enumerate(order))


def scrambled(pixels: np.ndarray[Any, Any], seed: int, index: int) -> np.ndarray[Any, Any]:
    """An image (C, H, W) with its pixels in random places: the right colours, and nothing that looks real."""
    channels, height, width = pixels.shape
    order = seeds.generator(seed, "study catch", index).permutation(height * width)
    return pixels.reshape(channels, -1)[:, order].reshape(channels, height, width)


def read_key(values: object) -> Key:
    """The key that `Key.to_dict` gave.

    Raises:
        InputError: these are no values of a key.
    """
    try:
        if not isinstance(values, Mapping) or values.get("schema") != STUDY_SCHEMA:
            raise ValueError(f"its schema is not {STUDY_SCHEMA!r}")
        trials = tuple(
            Trial(_text(trial["id"]), tuple((_text(role), int(index)) for role, index in trial["shown"]))
            for trial in values["trials"]
        )
        key = Key(
            study=_text(values["study"]),
            question=values["question"],
            seed=int(values["seed"]),
            sources=tuple(dict(source) for source in values["sources"]),
            reference=None if values["reference"] is None else dict(values["reference"]),
            trials=trials,
        )
        roles = {REAL, CATCH, *map(str, range(len(key.sources)))}
        wide = 1 if key.question == "real-or-fake" else 2
        fits = all(len(trial.shown) == wide and {role for role, _ in trial.shown} <= roles for trial in trials)
        if key.question not in QUESTIONS or not key.sources or not trials or not fits:
            raise ValueError("its trials do not fit its question and sources")
        if len({trial.id for trial in trials}) != len(trials) or not all("name" in each for each in key.sources):
            raise ValueError("its trials or sources are not told apart")
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise InputError(f"not the key of a study: {error}") from error
    return key


def study_id(question: str, seed: int, sources: Sequence[Mapping[str, Any]], images: bytes) -> str:
    """An id that two studies share only where they show the same images in the same order."""
    text = json.dumps([question, seed, [source["name"] for source in sources]]).encode()
    return hashlib.sha256(text + images).hexdigest()[:16]


def _token(seed: int, number: int) -> str:
    return f"{seeds.integer(seed, 'study trial', number):016x}"[-12:]


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise ValueError("an id or role is no short text")
    return value
