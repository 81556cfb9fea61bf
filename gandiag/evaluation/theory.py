"""What theory says of each score on the known sets: the one table that the self-test holds the metrics to.

No line was read off a run: each is an identity, a bound, the expectation of an unbiased estimate, or the direction that
the metric itself declares. Where theory says "high" or "none" without a number, the limit is a round one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gandiag.core.score import Better, Score
from gandiag.evaluation.known_sets import CLASSES_LEFT, DISTINCT

ROUNDING = 1e-6
BEYOND = 2.0  # standard errors of a difference above which one set is worse than another
FAR = 4.0  # standard errors within which an unbiased estimate lies, but for one time in 16,000

Seen = Mapping[str, Score]  # one score, by the name of the set


@dataclass(frozen=True)
class Expectation:
    """One relation: what it says, of which sets, and whether it holds for scores that all have a value."""

    says: str
    sets: tuple[str, ...]
    holds: Callable[[Seen], bool]


@dataclass(frozen=True)
class Facts:
    """What the table needs to know of the known sets."""

    classes: int
    samples: int
    width: int
    share_left: float


def expectations(facts: Facts) -> dict[str, tuple[Expectation, ...]]:
    """The relations of every score of gandiag's own metrics."""
    left, classes = len(CLASSES_LEFT), facts.classes
    # Copies are nearer to the training digits than fresh ones are: a distance is no witness against them.
    found = (worse("shifted", "fresh"), worse("collapsed", "fresh"), not_worse("copies", "fresh"))
    distance, unbiased = (zero("identical"), *found), (near("fresh", 0.0), *found)
    mode_count = (*(equal(each, classes) for each in ("identical", "fresh")), equal("collapsed", left))
    k = 5
    fresh_coverage = 1 - math.prod((facts.samples - i) / (2 * facts.samples - i) for i in range(1, k + 1))
    return {
        "fid": distance,
        "fid_infinity": (*unbiased, near("identical", 0.0)),
        "sfid": distance,
        # Without bias, a set against its own copy is below 0: among the pairs across are those of a sample with itself.
        "kid": (*unbiased, negative("identical")),
        "cmmd": (*unbiased, negative("identical")),
        "mind": distance,
        "swd": distance,
        # The mutual information of sample and class is at most the entropy of the classes.
        "is": (between("fresh", 1, classes), worse("collapsed", "fresh"), not_worse("copies", "fresh")),
        "precision": (
            equal("identical", 1.0),
            worse("shifted", "fresh"),
            at_least_half("collapsed", "fresh"),
        ),
        # Repeated samples have balls of radius 0, which hold no other sample.
        "recall": (equal("identical", 1.0), equal("collapsed", 0.0), worse("collapsed", "fresh")),
        # Each closed ball holds its centre's copy and k neighbours.
        "density": (equal("identical", (k + 1) / k), near("fresh", 1.0), worse("shifted", "fresh")),
        # Naeem et al., 2020: no fake is among the k nearest of 2 N - 1 samples with that chance.
        "coverage": (
            equal("identical", 1.0),
            near("fresh", fresh_coverage),
            worse("shifted", "fresh"),
            worse("collapsed", "fresh"),
        ),
        "modes": mode_count,
        "modes_at_5": mode_count,
        "mode_kl": (between("collapsed", math.log(classes / left), math.log(classes)), worse("collapsed", "fresh")),
        "mode_kl_excess": (near("fresh", 0.0), worse("collapsed", "fresh")),
        "effective_modes": (
            between("fresh", 1, classes),
            between("collapsed", 1, left),
            worse("collapsed", "fresh"),
        ),
        # Every tested digit is there twice, as real and as fake, and is told right once.
        "c2st": (
            equal("identical", 0.5),
            near("fresh", 0.5),
            *found,
        ),
        # A test at 5% rejects that often; 100 tests.
        "ndb": (
            between("fresh", 0.0, 0.05 + FAR * math.sqrt(0.05 * 0.95 / 100)),
            worse("shifted", "fresh"),
            worse("collapsed", "fresh"),
        ),
        "ndb_jsd": (
            between("collapsed", 0.0, math.log(2)),
            worse("shifted", "fresh"),
            worse("collapsed", "fresh"),
        ),
        "vendi": (
            between("fresh", 1, facts.width),
            between("collapsed", 1, DISTINCT),
            worse("collapsed", "fresh"),
        ),
        # Copies explain nothing that was held out, and neither do the very same digits.
        "fld": tuple(worse(each, "fresh") for each in ("identical", "copies", "shifted", "collapsed")),
        # The likelihood around near copies has so long a tail that its error bar covers it: the values alone.
        "fld_gap": (worse("identical", "fresh"), larger("fresh", "copies")),
        "authenticity": (
            equal("identical", 0.0),
            between("copies", 0.0, 0.05),
            near_detail("fresh", "expected"),
            worse("copies", "fresh"),
        ),
        "copies": (
            equal("identical", 1.0),
            between("copies", 0.95, 1.0),
            near_detail("fresh", "expected"),
            worse("copies", "fresh"),
        ),
        # The penalty is by nearness alone, so that what is far has less of it: no relation for shifted and collapsed.
        # Copies depend on the training digits, which their error bar does not know: the values are compared alone.
        "mifid": (more_detail("copies", "fresh", "penalty"), larger("copies", "fresh")),
        "realism": (
            not_worse("identical", "fresh"),
            worse("shifted", "fresh"),
            at_least_half("collapsed", "fresh"),
        ),
        "intra_fid": distance,
        "class_recall": (equal("identical", 1.0), equal("collapsed", 0.0), worse("collapsed", "fresh")),
        "classes_kept": (
            equal("identical", classes),
            equal("fresh", classes),
            between("collapsed", 0, left),
        ),
        # A classifier that never saw a class does not name it.
        "cas": (
            at_most("collapsed", facts.share_left),
            worse("collapsed", "fresh"),
            between("fresh", facts.share_left, 1),
        ),
        # The noise of the copies is one grey level at most, and 20 log10(255) is 48.13.
        "psnr": (
            between("copies", 20 * math.log10(255), math.inf),
            worse("shifted", "copies"),
            worse("collapsed", "copies"),
        ),
        "ssim": (
            equal("identical", 1.0),
            equal("fresh", 1.0),
            between("copies", 0.0, 1.0),
            worse("shifted", "copies"),
            worse("collapsed", "copies"),
        ),
        "cycle_error": (
            equal("identical", 0.0),
            equal("fresh", 0.0),
            between("copies", 0.0, 1 / 255),
            worse("shifted", "copies"),
            worse("collapsed", "copies"),
        ),
        "ms_ssim": (near_detail("identical", "real"), near_detail("fresh", "real"), more("collapsed", "fresh")),
        "ppl": (equal("identical", 1.0), multiple("shifted", 4.0, "fresh"), equal("collapsed", 0.0)),
    }


def undeclared(declared: Mapping[str, Better | None]) -> dict[str, tuple[Expectation, ...]]:
    """What holds for the scores of a metric that the table does not know: from the direction that it declares."""
    return {name: (not_worse("identical", "fresh"),) for name, better in declared.items() if better is not None}


def reacts(seen: Seen) -> bool:
    """Whether a score that the table does not know tells the shifted or the collapsed set from the fresh one."""
    return any(
        relation.holds(seen)
        for relation in (worse("shifted", "fresh"), worse("collapsed", "fresh"))
        if all(name in seen and seen[name].value is not None for name in relation.sets)
    )


def equal(name: str, value: float) -> Expectation:
    """The score is the value, to rounding."""
    return Expectation(
        f"{name} = {value:g}",
        (name,),
        lambda seen: math.isclose(_value(seen[name]), value, rel_tol=ROUNDING, abs_tol=ROUNDING),
    )


def zero(name: str) -> Expectation:
    """The score is 0, to rounding beside what the shifted set has."""
    return Expectation(
        f"{name} = 0",
        (name, "shifted"),
        lambda seen: abs(_value(seen[name])) <= ROUNDING * abs(_value(seen["shifted"])),
    )


def between(name: str, low: float, high: float) -> Expectation:
    """The score is within bounds that hold for every sample, to rounding."""
    return Expectation(
        f"{name} from {low:.3g} to {high:.3g}",
        (name,),
        lambda seen: low - ROUNDING <= _value(seen[name]) <= high + ROUNDING,
    )


def at_most(name: str, bound: float) -> Expectation:
    """The score is not above the bound, but for its error bar."""
    return Expectation(
        f"{name} at most {bound:.3g}",
        (name,),
        lambda seen: _value(seen[name]) - bound <= FAR * (seen[name].stderr or 0) + ROUNDING,
    )


def negative(name: str) -> Expectation:
    """The score is below 0, beyond rounding."""
    return Expectation(f"{name} below 0", (name,), lambda seen: _value(seen[name]) < -ROUNDING)


def near(name: str, value: float) -> Expectation:
    """The score's expectation is the value."""
    return Expectation(
        f"{name} about {value:.3g}",
        (name,),
        lambda seen: abs(_value(seen[name]) - value) <= FAR * (seen[name].stderr or 0) + ROUNDING,
    )


def near_detail(name: str, detail: str) -> Expectation:
    """The score's expectation is that of the yardstick among its details, which has an error bar of the same size."""
    return Expectation(
        f"{name} about its {detail!r}",
        (name,),
        lambda seen: (
            abs(_value(seen[name]) - float(seen[name].details[detail]))
            <= FAR * math.sqrt(2) * (seen[name].stderr or 0) + ROUNDING
        ),
    )


def more_detail(name: str, than: str, detail: str) -> Expectation:
    """A detail of the score is higher."""
    return Expectation(
        f"{name} has more {detail} than {than}",
        (name, than),
        lambda seen: float(seen[name].details[detail]) > float(seen[than].details[detail]),
    )


def multiple(name: str, factor: float, of: str) -> Expectation:
    """The score is a multiple of another, to rounding."""
    return Expectation(
        f"{name} = {factor:g} {of}",
        (name, of),
        lambda seen: math.isclose(_value(seen[name]), factor * _value(seen[of]), rel_tol=ROUNDING),
    )


def at_least_half(name: str, of: str) -> Expectation:
    """The score stays high: half of another, or more."""
    return Expectation(
        f"{name} half of {of} or more", (name, of), lambda seen: _value(seen[name]) >= _value(seen[of]) / 2
    )


def more(name: str, than: str) -> Expectation:
    """The score is higher, beyond both error bars."""
    return Expectation(f"{name} above {than}", (name, than), lambda seen: _beyond(seen[name], seen[than]))


def larger(name: str, than: str) -> Expectation:
    """The value is higher, whatever the error bars."""
    return Expectation(f"{name} above {than}", (name, than), lambda seen: _value(seen[name]) > _value(seen[than]))


def worse(name: str, than: str) -> Expectation:
    """The score is worse by the direction that it declares, beyond both error bars."""
    return Expectation(f"{name} worse than {than}", (name, than), lambda seen: _worse(seen[name], seen[than]))


def not_worse(name: str, than: str) -> Expectation:
    """The score is not worse by the direction that it declares, beyond both error bars."""
    return Expectation(f"{name} not worse than {than}", (name, than), lambda seen: not _worse(seen[name], seen[than]))


def _worse(score: Score, than: Score) -> bool:
    match score.better:
        case "lower":
            return _beyond(score, than)
        case "higher":
            return _beyond(than, score)
        case _:
            return False


def _beyond(high: Score, low: Score) -> bool:
    return _value(high) - _value(low) > BEYOND * math.hypot(high.stderr or 0, low.stderr or 0) + ROUNDING


def _value(score: Score) -> float:
    return math.nan if score.value is None else score.value
