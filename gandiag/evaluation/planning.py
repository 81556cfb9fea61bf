"""Before a long run: how many samples the wanted interval needs, and about how long they take here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gandiag.core.errors import InputError, UsageError, shown
from gandiag.core.result import Result
from gandiag.core.score import Score

PILOTS = (500, 2000)  # samples of the two short runs
MOST = 10_000_000  # samples beyond which the interval is said to be out of reach


@dataclass(frozen=True)
class Width:
    """Half of the width of an interval: a number, or a share of the value."""

    value: float
    relative: bool

    def of(self, value: float) -> float:
        """The half width for a score of this value."""
        return abs(value) * self.value if self.relative else self.value


@dataclass(frozen=True)
class PlannedScore:
    """What one score needs.

    Attributes:
        name: of the score.
        value: that of the longer pilot.
        half_width: of its interval there.
        wanted: half width.
        samples: about how many it takes; None where `reason` says why that cannot be said.
        seconds: about how long a run with so many takes here.
        reason: why there is no number.
    """

    name: str
    value: float | None
    half_width: float | None
    wanted: float | None
    samples: int | None
    seconds: float | None
    reason: str | None


@dataclass(frozen=True)
class Plan:
    """What the scores need, and the samples of the pilots that say so."""

    pilots: tuple[int, ...]
    scores: tuple[PlannedScore, ...]


def parse_width(text: str) -> Width:
    """`0.5` or `2%`.

    Raises:
        UsageError: it is neither, or not above 0.
    """
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"--interval is {shown(text)}, expected a half width above 0 as 0.5 or 2%")
    return Width(value / 100, True) if text.endswith("%") else Width(value, False)


def plan_samples(run: Callable[[int | None], Result], width: Width, *, most: int | None = None) -> Plan:
    """Score two small pilots, and extrapolate.

    The variance of a score is taken as `a + b / N`, where `a` is what a reference of a fixed size leaves, and the
    time as `c N^p`, with p from 0 to 2. An estimate from pilots: a rare mode that they missed it does not see.

    Args:
        run: gives the Result for a number of samples, or for all that there are.
        width: wanted of every score.
        most: samples that may be taken; all that there are where a pilot asks for more.

    Raises:
        GandiagError: the pilots cannot be scored.
    """
    pilots: list[int | None] = [count for count in PILOTS if most is None or count <= most]
    results: list[Result] = []
    for count in pilots or [most]:
        try:
            results.append(run(count))
        except InputError:
            if results:
                break
            results.append(run(most))  # a small set, or a metric that wants more than a pilot has
            break
    times = [(_samples(result), result.timing["extract"] + result.timing["compute"]) for result in results]
    if len(results) == 1:
        times = [(0, 0.0), *times]
    scores = tuple(_planned(name, results, width, times) for name in results[-1].scores)
    return Plan(tuple(_samples(result) for result in results), scores)


def _planned(name: str, results: list[Result], width: Width, times: list[tuple[int, float]]) -> PlannedScore:
    scores = [result.scores[name] for result in results if name in result.scores]
    last, value = scores[-1], scores[-1].value
    halves = [(score.n_fake, half) for score in scores if (half := _half_width(score)) is not None]
    if value is None or not halves:
        reason = last.reason or f"no interval ({last.error_method})"
        return PlannedScore(name, value, None, None, None, None, reason)
    wanted = width.of(value)
    samples, unreachable = _needed(halves, wanted)
    seconds = None if samples is None else _seconds(samples, times)
    return PlannedScore(name, value, halves[-1][1], wanted, samples, seconds, unreachable)


def _half_width(score: Score) -> float | None:
    if score.value is None or score.ci95 is None:
        return None
    return (score.ci95[1] - score.ci95[0]) / 2


def _needed(halves: list[tuple[int, float]], wanted: float) -> tuple[int | None, str | None]:
    """Samples for the wanted half width, from the half widths of the pilots."""
    count, half = halves[-1]
    if half <= wanted:
        return count, None
    if wanted <= 0:
        return None, "out of reach: the value is 0, name a width without %"
    floor = 0.0
    if len(halves) > 1:
        few, wide = halves[0]
        slope = (wide**2 - half**2) / (1 / few - 1 / count)
        floor = max(half**2 - slope / count, 0.0) if slope > 0 else 0.0
    # A floor that the pilots cannot tell from none is none.
    floor = floor if floor > 0.25 * half**2 else 0.0
    if wanted**2 <= floor:
        return None, f"out of reach: the reference's own samples leave {math.sqrt(floor):.2g}"
    exact = (half**2 - floor) * count / (wanted**2 - floor)
    step = 10.0 ** (math.floor(math.log10(exact)) - 1)  # two digits are all that it is good for
    samples = round(math.ceil(exact / step) * step)
    return (samples, None) if samples <= MOST else (None, f"out of reach: more than {MOST:,}")


def _seconds(samples: int, times: list[tuple[int, float]]) -> float:
    (few, short), (many, long) = times[0], times[-1]
    if few <= 0 or short <= 0 or long <= 0:
        return long * samples / many
    power = min(math.log(long / short) / math.log(many / few), 2.0)
    if power <= 1:  # a part, such as reading the reference, takes as long however many samples there are
        return long + max(long - short, 0.0) / (many - few) * (samples - many)
    return float(long * (samples / many) ** power)


def _samples(result: Result) -> int:
    return int(result.protocol["samples"])
