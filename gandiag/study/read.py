"""Reading a study: from answers to a fooling rate or a preference, with its interval, its raters and a test."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gandiag.core import seeds
from gandiag.core.fingerprint import fingerprint
from gandiag.core.result import Result
from gandiag.core.score import NORMAL_95, Better, Score, measured, undefined
from gandiag.statistics.intervals import share_interval
from gandiag.statistics.pairing import BLOCKS, influence_pairing
from gandiag.study.agreement import Answered, Likeness, fleiss_kappa, likeness
from gandiag.study.answers import Answers, read_answers
from gandiag.study.questions import CATCH, REAL, Key, Trial

ATTENTIVE = 0.75  # share of catch trials that a rater must have right
FEWEST_CATCH = 4  # catch trials that say something of a rater
FEW_RATERS = 5  # below it, the spread between raters is hardly known
DIRECTIONS: dict[str, Better] = {"fooling_rate": "higher", "human_accuracy": "lower"}
METHOD = "with the design effect of raters and images"
HASTY = 300.0  # milliseconds; a median below it is no look


@dataclass(frozen=True)
class Rater:
    """How reliable one rater is.

    Attributes:
        name: as the rater wrote it.
        answers: how many there are, catch trials left out.
        catch: share of catch trials that are right; None where there were too few.
        median_milliseconds: time of an answer.
        doubts: why the answers may be worth little; empty for none.
        counted: whether they went into the scores.
    """

    name: str
    answers: int
    catch: float | None
    median_milliseconds: float
    doubts: tuple[str, ...]
    counted: bool


@dataclass(frozen=True)
class Reading:
    """What a study found.

    Attributes:
        key: what was asked.
        results: one Result a source, which `compare` and `gate` take.
        raters: who answered, and how reliably.
        kappa: Fleiss' agreement between them, None where it is not defined.
    """

    key: Key
    results: tuple[Result, ...]
    raters: tuple[Rater, ...]
    kappa: float | None


def read_study(paths: Iterable[str | os.PathLike[str]], *, keep_inattentive: bool = False) -> Reading:
    """Scores of a study's sources from the files of answers.

    real-or-fake gives each source its `fooling_rate`, the share of its images that were taken for real, and
    `human_accuracy`, the mean of the shares of real and of fake images that were told right (0.5 is a guess). a-or-b
    gives the `preference`, the share of pairs in which the source was chosen. Intervals are widened by the design
    effect: the answers of one rater are alike, and so are those for one image.

    Args:
        paths: files that raters saved.
        keep_inattentive: count raters who failed the catch trials too.

    Raises:
        InputError: a file is damaged or of another study.
    """
    key, everybody = read_answers(paths)
    raters = tuple(_rater(key, answers, keep_inattentive) for answers in everybody)
    counted = [answers for answers, rater in zip(everybody, raters, strict=True) if rater.counted]
    trials = {trial.id: trial for trial in key.trials if not trial.is_catch}
    warnings = _warnings(raters, len(counted))
    results = tuple(_result(key, place, trials, counted, warnings) for place in range(len(key.sources)))
    return Reading(key, results, raters, _kappa(key, trials, counted))


def _rater(key: Key, answers: Answers, keep: bool) -> Rater:
    catches = [trial for trial in key.trials if trial.is_catch and trial.id in answers.given]
    right = sum(_catch_right(trial, answers.given[trial.id]) for trial in catches)
    share = right / len(catches) if len(catches) >= FEWEST_CATCH else None
    own = [name for name in answers.given if name not in {trial.id for trial in catches}]
    median = statistics.median(answers.milliseconds.values())
    doubts = []
    if share is not None and share < ATTENTIVE:
        doubts.append(f"{right} of {len(catches)} catch trials right")
    if median < HASTY:
        doubts.append(f"a median of {median:.0f} ms for an answer")
    if len(own) >= 10 and len({answers.given[name] for name in own}) == 1:
        doubts.append("always the same answer")
    return Rater(answers.rater, len(own), share, median, tuple(doubts), keep or share is None or share >= ATTENTIVE)


def _catch_right(trial: Trial, answer: str) -> bool:
    if len(trial.shown) == 1:
        return answer == "fake"
    return trial.shown[0 if answer == "left" else 1][0] != CATCH


def _chosen(trial: Trial, answer: str) -> str:
    """The role of the image that a-or-b's answer means."""
    return trial.shown[0 if answer == "left" else 1][0]


def _result(
    key: Key, place: int, trials: Mapping[str, Trial], counted: Sequence[Answers], warnings: tuple[str, ...]
) -> Result:
    scores = _fooling(place, trials, counted)
    if key.question == "a-or-b":
        scores = {"preference": _preference(key, place, trials, counted)}
    # A preference is over the other source, and comparable with that of another study of the same pair alone.
    pair = sorted(str(each.get("sha256")) for each in key.sources) if key.question == "a-or-b" else None
    reference = None if key.reference is None else key.reference.get("sha256")
    identity = {"version": 1, "question": key.question, "reference": reference, "pair": pair}
    return Result(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        source=dict(key.sources[place]),
        reference=key.reference or {"name": None, "sha256": None, "samples": 0},
        protocol={
            "samples": len(trials),
            "seed": key.seed,
            "study": key.study,
            "question": key.question,
            "raters": len(counted),
        },
        scores={
            name: replace(score, fingerprint=fingerprint({"score": name, **identity})) for name, score in scores.items()
        },
        warnings=warnings,
    )


def _fooling(place: int, trials: Mapping[str, Trial], counted: Sequence[Answers]) -> dict[str, Score]:
    fakes = _answered(counted, trials, lambda trial, answer: answer == "real", str(place))
    reals = _answered(counted, trials, lambda trial, answer: answer == "real", REAL)
    sides: dict[str, Any] = {
        "n_real": 0 if reals is None else reals.count,
        "n_fake": 0 if fakes is None else fakes.count,
    }
    if fakes is None:
        reason = "no rater answered for an image of this source"
        return {name: undefined(reason, better=better, **sides) for name, better in DIRECTIONS.items()}
    if reals is None:
        nothing = undefined("no rater answered for a real image", better="lower", **sides)
        return {"fooling_rate": _share(fakes, sides, {}), "human_accuracy": nothing}
    alike = likeness([(1.0, reals), (-1.0, fakes)])
    return {
        "fooling_rate": _share(fakes, sides, _told_apart(fakes, reals, alike)),
        "human_accuracy": _accuracy(fakes, reals, alike, sides),
    }


def _accuracy(fakes: Answered, reals: Answered, alike: Likeness, sides: Mapping[str, Any]) -> Score:
    value = (reals.share + 1 - fakes.share) / 2
    stderr = math.sqrt(sum(_variance(each.share, each.count / alike.effect) for each in (fakes, reals))) / 2
    reach = _quantile(alike) * stderr
    return measured(
        value,
        stderr=stderr,
        error_method=f"binomial, {METHOD}",
        better="lower",
        interval=(value - reach, value + reach),
        limits=(0.0, 1.0),
        details={"taken_for_real": {"real": reals.share, "fake": fakes.share}, "design_effect": alike.effect},
        n_real=sides["n_real"],
        n_fake=sides["n_fake"],
    )


def _preference(key: Key, place: int, trials: Mapping[str, Trial], counted: Sequence[Answers]) -> Score:
    chosen = _answered(counted, trials, lambda trial, answer: _chosen(trial, answer) == str(place))
    if chosen is None:
        return undefined("no rater answered for a pair", better="higher", n_real=None, n_fake=0)
    score = _share(chosen, {"n_real": None, "n_fake": chosen.count}, _against_half(chosen))
    pairing = _opposite(place, score.stderr or 0.0, chosen.count, key.study, counted)
    return replace(score, details={**score.details, **pairing})


def _opposite(place: int, stderr: float, count: int, study: str, counted: Sequence[Answers]) -> dict[str, Any]:
    """The pairing of a preference: what one source of the pair wins by chance, the other one loses.

    The replicates are a draw that belongs to these answers, with the error as their spread, and with the other sign for
    the other source. Those of other answers are another draw, and err independently.
    """
    given = json.dumps([study, *([answers.rater, sorted(answers.given.items())] for answers in counted)])
    digest = hashlib.sha256(given.encode()).hexdigest()
    draw = seeds.generator(0, "study preference", digest).standard_normal(BLOCKS)
    noise = (draw - draw.mean()) / draw.std(ddof=1)
    return influence_pairing(fake=(1 - 2 * place) * stderr * math.sqrt(count) * noise, n_fake=count)


def _answered(
    counted: Sequence[Answers],
    trials: Mapping[str, Trial],
    hit: Callable[[Trial, str], bool],
    role: str | None = None,
) -> Answered | None:
    """The answers to trials, or to those alone that show an image of that role; None where there are none."""
    found = [
        (hit(trials[name], answer), answers.rater, name)
        for answers in counted
        for name, answer in answers.given.items()
        if name in trials and role in (None, trials[name].shown[0][0])
    ]
    if not found:
        return None
    hits, raters, images = zip(*found, strict=True)
    return Answered(np.array(hits, dtype=np.float64), raters, images)


def _share(answered: Answered, sides: Mapping[str, Any], test: Mapping[str, Any]) -> Score:
    share, alike = answered.share, likeness([(1.0, answered)])
    effective = answered.count / alike.effect
    return measured(
        share,
        stderr=math.sqrt(_variance(share, effective)),
        error_method=f"Wilson, {METHOD}",
        better="higher",
        n_real=sides["n_real"],
        n_fake=sides["n_fake"],
        # Wilson's interval with another quantile is that of fewer answers.
        interval=share_interval(share, effective * (NORMAL_95 / _quantile(alike)) ** 2),
        details={"raters": len(set(answered.raters)), "design_effect": alike.effect, "test": dict(test)},
    )


def _variance(share: float, effective: float) -> float:
    """Variance of a share of so many independent answers; not 0 where all of them agree."""
    return max(share * (1 - share), 0.25 / effective) / effective


def _told_apart(fakes: Answered, reals: Answered, alike: Likeness) -> dict[str, Any]:
    """Whether people take real images for real more often than fakes: the two shares are tested for a difference."""
    pooled = float(np.concatenate([fakes.hits, reals.hits]).mean())
    variance = alike.effect * pooled * (1 - pooled) * (1 / fakes.count + 1 / reals.count)
    difference = reals.share - fakes.share
    p_value = _two_sided(difference / math.sqrt(variance), alike) if variance > 0 else 1.0
    return {"name": "two shares", "difference": difference, "p_value": p_value}


def _against_half(chosen: Answered) -> dict[str, Any]:
    """Whether one of two is chosen more often than the other: the share is tested against one half."""
    alike = likeness([(1.0, chosen)])
    difference = chosen.share - 0.5
    deviation = difference / math.sqrt(0.25 * alike.effect / chosen.count)
    return {"name": "share against one half", "difference": difference, "p_value": _two_sided(deviation, alike)}


def _quantile(alike: Likeness) -> float:
    """The two-sided 95% quantile of Student's t."""
    from scipy.special import stdtrit

    return NORMAL_95 if math.isinf(alike.freedom) else float(stdtrit(alike.freedom, 0.975))


def _two_sided(deviation: float, alike: Likeness) -> float:
    from scipy.special import stdtr

    if math.isinf(alike.freedom):
        return math.erfc(abs(deviation) / math.sqrt(2))
    return 2 * float(stdtr(alike.freedom, -abs(deviation)))


def _kappa(key: Key, trials: Mapping[str, Trial], counted: Sequence[Answers]) -> float | None:
    first = "real" if key.question == "real-or-fake" else "left"
    given = [[answers.given[name] for answers in counted if name in answers.given] for name in trials]
    return fleiss_kappa([(own.count(first), len(own) - own.count(first)) for own in given])


def _warnings(raters: Sequence[Rater], counted: int) -> tuple[str, ...]:
    found = [
        f"the answers of {rater.name!r} are {'counted' if rater.counted else 'left out'}: {', '.join(rater.doubts)}"
        for rater in raters
        if rater.doubts
    ]
    if 0 < counted < FEW_RATERS:
        found.append(f"{counted} rater{'s' if counted > 1 else ''} counted: how far people differ is hardly known")
    return tuple(found)
