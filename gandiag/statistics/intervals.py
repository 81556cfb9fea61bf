"""Intervals for distances, whose spread falls with the distance itself."""

from __future__ import annotations

import math
from functools import cache

from gandiag.core.score import NORMAL_95


def share_interval(share: float, count: float) -> tuple[float, float]:
    """Wilson's 95% interval for a share of `count` independent samples (JASA 1927); never empty, even at 0 and 1."""
    z = NORMAL_95
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


@cache
def student_factor(values: int) -> float:
    """The 95% quantile of Student's t for a spread estimated from so many values, over that of the normal."""
    from scipy.stats import t

    return float(t.ppf(0.975, values - 1)) / NORMAL_95


def distance_interval(estimate: float, slope: float, variance_at_zero: float) -> tuple[float, float]:
    """95% interval for a distance whose unbiased estimate has the variance `slope * distance + variance_at_zero`.

    It holds the distances t of 0 or more that lie within 1.96 of their own standard errors from the estimate, as
    Wilson's interval does for shares. Its lower end reaches below 0, as far as the estimate at 0 does, so that an
    interval around a distance of 0 covers it as often as any other.
    """
    at_zero = NORMAL_95 * math.sqrt(variance_at_zero)
    half = NORMAL_95 * slope / 2
    root = math.sqrt(variance_at_zero + slope * max(estimate, 0.0) + half**2)
    low = estimate + NORMAL_95 * (half - root)
    high = max(estimate + NORMAL_95 * (half + root), estimate + at_zero)
    return (low if low > 0 else min(estimate - at_zero, 0.0)), high
