"""The error bar of an unbiased distance, from the two parts of its variance.

For distributions at a distance the part of first order rules; it falls with the distance, and for equal ones only that
of second order is left. Their plain sum fails between the two: an estimate of the first part is noise as large as the
second, large where the distance came out large and small where it came out small. So the interval takes the first part
as proportional to the distance. The rate comes from the larger of two ratios: of both without their bias, right where
the distance is resolved, and of both with it, which the same noise moves alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gandiag.statistics.intervals import distance_interval


@dataclass(frozen=True)
class DistanceError:
    """Standard error and 95% interval of a distance."""

    stderr: float
    interval: tuple[float, float]


def distance_error(estimate: float, first: float, second: float, bias: float, factor: float = 1.0) -> DistanceError:
    """Error of an unbiased estimate of a distance.

    Args:
        estimate: the distance; below 0 for about half of the draws of equal distributions.
        first: variance of first order, estimated without bias, so that it may be below 0.
        second: variance of second order, 0 or more, which is there at every distance.
        bias: what the plain estimate of the distance is expected to be above this one.
        factor: what the interval is widened by where few values gave the variances.
    """
    resolved, plain = max(estimate, math.sqrt(second)), estimate + bias
    slope = max(first, 0.0) / resolved if resolved > 0 else 0.0
    if plain > 0:
        slope = max(slope, (first + 2 * second) / plain)
    return DistanceError(
        stderr=math.sqrt(slope * max(estimate, 0.0) + second),
        interval=distance_interval(estimate, slope * factor**2, second * factor**2),
    )
