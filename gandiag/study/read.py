"""Reading a study: from answers to a fooling rate or a preference, with its interval, its raters and a test."""

from __future__ import annotations

import datetime
import math
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gandiag.core.fingerprint import fingerprint
from gandiag.core.result import Result
from gandiag.core.score import Better, Score, measured, undefined
from gandiag.statistics.intervals import share_interval
from gandiag.study.agreement import Counts, design_effect, fleiss_kappa
from gandiag.study.answers import Answers, read_answers
from gandiag.study.questions import CATCH, REAL, Key, Trial

ATTENTIVE = 0.75  # share of catch trials that a rater must have right
FEWEST_CATCH = 4  # catch trials that say something of a rater
FEW_RATERS = 5  # below it, the spread between raters is hardly known
DIRECTIONS: dict[str, Better] = {"fooling_rate": "higher", "human_accuracy": "lower"}
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
    gives the `preference`, the share of pairs in which the source was chosen. Intervals are Wilson's, widened by the
    design effect of several answers of one rater.

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
        scores = {"preference": _preference(place, trials, counted)}
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
    fakes = _counts(counted, trials, str(place), "real")
    reals = _counts(counted, trials, REAL, "real")
    shown_fakes, shown_reals = (sum(number for _, number in counts) for counts in (fakes, reals))
    sides: dict[str, Any] = {"n_real": shown_reals, "n_fake": shown_fakes}
    if shown_fakes == 0:
        reason = "no rater answered for an image of this source"
        return {name: undefined(reason, better=better, **sides) for name, better in DIRECTIONS.items()}
    scores = {"fooling_rate": _share(fakes, "higher", sides, _told_apart(fakes, reals))}
    if shown_reals == 0:
        scores["human_accuracy"] = undefined("no rater answered for a real image", better="lower", **sides)
        return scores
    rate, hits = (
        sum(number for number, _ in counts) / total for counts, total in ((fakes, shown_fakes), (reals, shown_reals))
    )
    variance = sum(
        share * (1 - share) / total * design_effect(counts)
        for share, total, counts in ((rate, shown_fakes, fakes), (hits, shown_reals, reals))
    )
    scores["human_accuracy"] = measured(
        (hits + 1 - rate) / 2,
        stderr=math.sqrt(variance) / 2,
        error_method="binomial with the design effect of the raters",
        better="lower",
        limits=(0.0, 1.0),
        details={"taken_for_real": {"real": hits, "fake": rate}},
        **sides,
    )
    return scores


def _preference(place: int, trials: Mapping[str, Trial], counted: Sequence[Answers]) -> Score:
    counts = []
    for answers in counted:
        chosen = [_chosen(trials[name], answer) for name, answer in answers.given.items() if name in trials]
        counts.append((chosen.count(str(place)), len(chosen)))
    total = sum(number for _, number in counts)
    sides: dict[str, Any] = {"n_real": None, "n_fake": total}
    if total == 0:
        return undefined("no rater answered for a pair", better="higher", **sides)
    return _share(counts, "higher", sides, _against_half(counts))


def _counts(counted: Sequence[Answers], trials: Mapping[str, Trial], role: str, answer: str) -> Counts:
    """For each rater: how often that answer was given to images of that role, and how often they were shown."""
    found = []
    for answers in counted:
        own = [given for name, given in answers.given.items() if name in trials and trials[name].shown[0][0] == role]
        if own:
            found.append((own.count(answer), len(own)))
    return found


def _share(counts: Counts, better: Better, sides: Mapping[str, Any], test: Mapping[str, Any]) -> Score:
    hits, total = sum(number for number, _ in counts), sum(number for _, number in counts)
    effect = design_effect(counts)
    share, effective = hits / total, total / effect
    return measured(
        share,
        stderr=math.sqrt(max(share * (1 - share), 0.25 / effective) / effective),
        error_method="Wilson, with the design effect of the raters",
        better=better,
        n_real=sides["n_real"],
        n_fake=sides["n_fake"],
        interval=share_interval(share, effective),
        details={"raters": len(counts), "design_effect": effect, "test": dict(test)},
    )


def _told_apart(fakes: Counts, reals: Counts) -> dict[str, Any]:
    """Whether people take real images for real more often than fakes: the two shares are tested for a difference."""
    if not fakes or not reals:
        return {}
    totals = [tuple(map(sum, zip(*counts, strict=True))) for counts in (reals, fakes)]
    pooled = sum(hits for hits, _ in totals) / sum(total for _, total in totals)
    variance = sum(
        pooled * (1 - pooled) * design_effect(counts) / total
        for counts, (_, total) in zip((reals, fakes), totals, strict=True)
    )
    difference = totals[0][0] / totals[0][1] - totals[1][0] / totals[1][1]
    p_value = _two_sided(difference / math.sqrt(variance)) if variance > 0 else 1.0
    return {"name": "two shares", "difference": difference, "p_value": p_value}


def _against_half(counts: Counts) -> dict[str, Any]:
    """Whether one of two is chosen more often than the other: the share is tested against one half."""
    hits, total = sum(number for number, _ in counts), sum(number for _, number in counts)
    deviation = (hits / total - 0.5) / math.sqrt(0.25 * design_effect(counts) / total)
    return {"name": "share against one half", "difference": hits / total - 0.5, "p_value": _two_sided(deviation)}


def _two_sided(deviation: float) -> float:
    return math.erfc(abs(deviation) / math.sqrt(2))


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
