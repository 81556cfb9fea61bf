"""The difference of two scores with its error bar, paired where both say what noise they share."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gandiag.core.score import NORMAL_95, Score
from gandiag.statistics.pairing import difference_error, read_pairing

PAIRED = "paired"
INDEPENDENT = "independent"
NONE = "none: a score has no error bar"


@dataclass(frozen=True)
class Difference:
    """One score less another.

    Attributes:
        value: the difference.
        stderr: its standard error; None where a score has none.
        ci: 95% interval, of Student's t where it is paired.
        p_value: two-sided, for no difference.
        method: `paired`; `independent`, which is never too narrow; or `none: ...` with the reason.
        freedom: degrees of freedom with which the standard error is known.
    """

    value: float
    stderr: float | None
    ci: tuple[float, float] | None
    p_value: float | None
    method: str
    freedom: float = math.inf


def difference(score: Score, other: Score) -> Difference:
    """`score - other`, both with a value.

    Raises:
        InputError: what a score says of its noise is malformed.
    """
    value = (score.value or 0.0) - (other.value or 0.0)
    one, two = read_pairing(score.details), read_pairing(other.details)
    error = None if one is None or two is None else difference_error(one, two)
    # Replicates that all agree say nothing of how rare what they did not see is: then the intervals do.
    if error is not None and (error.variance > 0 or value == 0):
        return _tested(value, math.sqrt(error.variance), error.freedom, PAIRED)
    first, second = _stderr(score), _stderr(other)
    if first is None or second is None:
        return Difference(value, None, None, None, NONE)
    return _tested(value, math.hypot(first, second), math.inf, INDEPENDENT)


def _stderr(score: Score) -> float | None:
    """The standard error; where it is 0, what the interval says."""
    if score.stderr == 0 and score.ci95 is not None:
        return (score.ci95[1] - score.ci95[0]) / (2 * NORMAL_95)
    return score.stderr


def _tested(value: float, stderr: float, freedom: float, method: str) -> Difference:
    from scipy.special import ndtr, stdtr, stdtrit

    normal = math.isinf(freedom)
    quantile = NORMAL_95 if normal else float(stdtrit(freedom, 0.975))
    if stderr > 0:
        deviations = -abs(value) / stderr
        p_value = 2 * float(ndtr(deviations) if normal else stdtr(freedom, deviations))
    else:
        p_value = 1.0 if value == 0 else 0.0
    interval = value - quantile * stderr, value + quantile * stderr
    return Difference(value, stderr, interval, p_value, method, freedom)
