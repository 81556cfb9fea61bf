"""Reading the files that raters saved, which anybody may have written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.core.errors import InputError, shown
from gandiag.core.files import read_bounded
from gandiag.core.strict_json import parse_json
from gandiag.study.questions import Key, read_key

ANSWERS_SCHEMA = "gandiag.answers/1"
LARGEST = 50 * 2**20  # bytes of a file of answers
CHOICES = {"real-or-fake": ("real", "fake"), "a-or-b": ("left", "right")}


@dataclass(frozen=True)
class Answers:
    """What one rater said.

    Attributes:
        rater: as the rater wrote it.
        given: id of a trial to the answer.
        milliseconds: id of a trial to the time that the answer took.
    """

    rater: str
    given: Mapping[str, str]
    milliseconds: Mapping[str, float]


def read_answers(paths: Iterable[str | os.PathLike[str]]) -> tuple[Key, tuple[Answers, ...]]:
    """The study's key, and the answers of each rater; of two files that one rater saved, the later one.

    Raises:
        InputError: a file is no such file, they are of different studies, or two people have one name.
    """
    key: Key | None = None
    raters: dict[str, Answers] = {}
    for path in paths:
        found, answers = _read(Path(path))
        if key is not None and found != key:
            raise InputError(f"{shown(path)} answers another study than the files before it; read one study at a time")
        key = found
        known = raters.setdefault(answers.rater, answers)
        early, late = sorted((known, answers), key=lambda each: len(each.given))
        # Who goes on later saves the first answers again.
        if not early.given.items() <= late.given.items():
            said = f"{shown(path)} and a file before it are two answers of {shown(answers.rater)} that do not agree"
            raise InputError(f"{said}; give one of two people another name in the file, or leave one file out")
        raters[answers.rater] = late
    if key is None:
        raise InputError("there are no files of answers; name at least one")
    return key, tuple(raters[name] for name in sorted(raters))


def _read(path: Path) -> tuple[Key, Answers]:
    try:
        document = parse_json(read_bounded(path, LARGEST))
        if not isinstance(document, Mapping) or document.get("schema") != ANSWERS_SCHEMA:
            raise ValueError(f"its schema is not {ANSWERS_SCHEMA!r}")
        key = read_key(document.get("key"))
        if document.get("study") != key.study:
            raise ValueError("its study is not that of its key")
        return key, _answers(document, key)
    except InputError as error:
        raise InputError(f"{shown(path)} is no file of answers: {error}") from error
    except OSError as error:
        raise InputError(f"cannot read the answers {shown(path)}: {error.strerror or error}") from error
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise InputError(f"{shown(path)} is no file of answers: {error}") from error


def _answers(document: Mapping[str, Any], key: Key) -> Answers:
    known = {trial.id for trial in key.trials}
    given: dict[str, str] = {}
    times: dict[str, float] = {}
    for each in document["trials"]:
        name, answer, time = each["trial"], each["answer"], each.get("milliseconds", 0)
        if name not in known or answer not in CHOICES[key.question] or type(time) not in (int, float) or time < 0:
            raise ValueError(f"it has an answer that fits no trial: {shown(each)}")
        if name in given:
            raise ValueError(f"it answers the trial {shown(name)} twice")
        given[name], times[name] = answer, float(time)
    rater = document.get("rater")
    if not isinstance(rater, str) or not rater or len(rater) > 200:
        raise ValueError("it does not say who answered")
    if not given:
        raise ValueError("it has no answers")
    return Answers(rater, given, times)
