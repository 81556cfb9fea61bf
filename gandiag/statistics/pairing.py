"""What a score keeps of its noise, so that the noise it shares with another model's score can be told from its own.

A score's `details.pairing` holds replicates of it: the influence of blocks of samples, or its values on halves of them.
Which samples are in a block or a half depends on their number, and for halves on the seed, but not on the model. So
replicate b of two models saw the same noise and the same real samples, and the spread of the differences is the error
of the difference: that of common random numbers. Where the models have nothing in common it is that of independent
scores.

Every part is scaled so that the variance among its replicates is its share of the variance of the score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gandiag.core import seeds
from gandiag.core.errors import InputError, shown

BLOCKS = 200  # replicates of a side: their variance is known to a tenth
GRID = 1000  # steps of the stored numbers in one standard deviation: exact for models 100 times as near as the score
LARGEST = 2**31  # of a stored number
LARGEST_UNIT = 1e60  # the fourth powers of what is stored are finite

Vector = npt.NDArray[np.float64]
FIRST = ("fake", "real")  # parts of first order
PARTS = (*FIRST, "second", "halves")


@dataclass(frozen=True)
class Pairing:
    """Replicates of a score.

    Attributes:
        parts: `fake` and `real`, the first order of each side; `second`, the second order of both; or `halves` alone,
            the whole variance. Each is (replicates,).
        rest: variance of which there are no replicates.
    """

    parts: Mapping[str, Vector]
    rest: float = 0.0


@dataclass(frozen=True)
class DifferenceError:
    """Variance of the difference of two scores, and the degrees of freedom with which it is known."""

    variance: float
    freedom: float


def influence_pairing(
    *,
    fake: npt.ArrayLike,
    real: npt.ArrayLike | None = None,
    n_fake: int,
    n_real: int | None = None,
    second: npt.ArrayLike | None = None,
    rest: float = 0.0,
) -> dict[str, Any]:
    """The details `{"pairing": ...}` from the influence of samples on a score; none of fewer than two fakes.

    Args:
        fake: influence of the first fakes, (m,), with `var / n_fake` the variance of the score.
        real: the same of the real samples; None where the score does not look at them, or where they are not at hand.
        n_fake: how many fakes the score is of.
        n_real: how many real samples.
        second: replicates of the part of second order, (r,), whose variance is its own.
        rest: variance of which there are no replicates.
    """
    if len(np.asarray(fake)) < 2:
        return {}
    found: dict[str, Any] = {"method": "influence", "fake": _stored(_blocks(fake, n_fake))}
    if real is not None and n_real:
        found["real"] = _stored(_blocks(real, n_real))
    if second is not None and len(np.asarray(second)) > 1:
        found["second"] = _stored(np.asarray(second, dtype=np.float64))
    return {"pairing": found | ({"rest": rest} if rest else {})}


def halves_pairing(values: npt.ArrayLike) -> dict[str, Any]:
    """The same from a score's values on random halves, (h,), whose variance is that of the score."""
    replicates = np.asarray(values, dtype=np.float64)
    return {"pairing": {"method": "half-sampling", "halves": _stored(replicates)}} if len(replicates) > 1 else {}


def read_pairing(details: Mapping[str, Any]) -> Pairing | None:
    """The pairing among the details of a score; None where it has none.

    Raises:
        InputError: it is none that gandiag writes.
    """
    stored = details.get("pairing")
    if stored is None:
        return None
    try:
        parts = {name: _read(stored[name]) for name in PARTS if name in stored}
        rest = float(stored.get("rest", 0.0))
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise InputError(f"its pairing is malformed: {shown(error)}") from error
    if not parts or not 0 <= rest <= LARGEST_UNIT**2:
        raise InputError("its pairing is malformed: it has no replicates, or a rest that is no variance")
    return Pairing(parts, rest)


def difference_error(one: Pairing, other: Pairing) -> DifferenceError | None:
    """The error of the difference of two scores; None where their replicates are not of the same kind and number.

    The influence is taken at the samples, and their noise adds twice the variance of second order to the spread of
    what would be there without it. So the whole is the first part less the second, and no less than the second.
    """
    if one.parts.keys() != other.parts.keys():
        return None
    if any(len(values) != len(other.parts[name]) for name, values in one.parts.items()):
        return None
    spread = {name: _spread(values, other.parts[name]) for name, values in one.parts.items()}
    counts = {name: len(values) for name, values in one.parts.items()}
    second = spread.get("second", 0.0)
    found = sum(variance for name, variance in spread.items() if name != "second")
    # Satterthwaite (1946): the freedom of a sum of variances.
    noise = sum(variance**2 / (counts[name] - 1) for name, variance in spread.items())
    variance = max(found - second, second)
    freedom = variance**2 / noise if noise > 0 else float(max(counts.values()) - 1)
    rest = one.rest + other.rest
    return DifferenceError(variance + rest, min(max(freedom, 1.0), float(sum(counts.values()))))


def block_of(count: int) -> npt.NDArray[np.int64]:
    """Which block each of `count` samples is in, (count,): at random, so that sorted samples do no harm."""
    blocks = min(BLOCKS, count)
    members = np.arange(count, dtype=np.int64) * blocks // max(count, 1)
    return members[seeds.generator(0, "pairing", count).permutation(count)]


def _blocks(influence: npt.ArrayLike, total: int) -> Vector:
    """Replicates of a side: the sums of the centred influence in each block, scaled to the variance of the score."""
    values = np.asarray(influence, dtype=np.float64)
    if len(values) < 2:
        return np.zeros(0)
    members = block_of(len(values))
    sums = np.bincount(members, weights=values - values.mean())
    return np.asarray(sums / np.sqrt(np.bincount(members) * float(total)))


def _stored(values: Vector) -> dict[str, Any]:
    """Whole numbers in a unit that is small beside the spread."""
    centred = values - values.mean() if len(values) else values
    unit = float(centred.std()) / GRID
    if not (unit > 0 and math.isfinite(1 / unit)):
        return {"unit": 0.0, "values": [0] * len(values)}
    unit = float(f"{unit:.2g}")
    return {"unit": unit, "values": [int(number) for number in np.rint(centred / unit)]}


def _read(stored: Mapping[str, Any]) -> Vector:
    unit, numbers = float(stored["unit"]), stored["values"]
    if not isinstance(numbers, list) or not all(type(number) is int and abs(number) < LARGEST for number in numbers):
        raise ValueError("its values are no list of whole numbers")
    if not 0 <= unit <= LARGEST_UNIT or len(numbers) > 10 * BLOCKS:
        raise ValueError("its unit or its length is none")
    return np.array(numbers, dtype=np.float64) * unit


def _spread(one: Vector, other: Vector) -> float:
    return float((one - other).var(ddof=1)) if len(one) > 1 else 0.0
