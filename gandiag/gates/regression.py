"""Is a score worse than the baseline's by more than is allowed? The paired difference and its one-sided test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from gandiag.core.errors import UsageError
from gandiag.core.score import NORMAL_95, Score
from gandiag.gates.policy import RegressionGate


@dataclass(frozen=True)
class Regression:
    """How much worse a score is than the baseline's.

    Attributes:
        worse: the difference; above 0 is worse.
        allowed: how much it may be.
        stderr: of `worse - allowed`, which moves with the baseline where the allowance is a share of it; None where
            there is no error bar.
        spread: standard error of `worse` alone.
        method: how the difference was paired.
    """

    worse: float
    allowed: float
    stderr: float | None
    spread: float | None
    method: str

    @property
    def p_value(self) -> float | None:
        """One-sided, for being no worse than allowed."""
        excess = self.worse - self.allowed
        if self.stderr is None:
            return None
        if self.stderr == 0:
            return 0.0 if excess > 0 else 1.0
        return 1 - NormalDist().cdf(excess / self.stderr)

    def no_worse(self, quantile: float) -> bool:
        """Whether it is not worse at all, so many standard errors away; then no allowance is needed."""
        return self.spread is not None and self.worse + quantile * self.spread <= 0

    def interval(self, quantile: float) -> tuple[float, float] | None:
        """The interval of the difference with so many standard errors on each side."""
        if self.stderr is None:
            return None
        return self.worse - quantile * self.stderr, self.worse + quantile * self.stderr


def regression(score: Score, baseline: Score, gate: RegressionGate) -> Regression:
    """Measure a regression; both scores have a value.

    Raises:
        UsageError: no direction of the score is the better one.
    """
    from gandiag.comparison.paired import difference

    if score.better is None or score.value is None or baseline.value is None:
        raise UsageError(f"{gate.metric} has no better direction, so that it cannot regress; set min or max")
    sign = 1.0 if score.better == "lower" else -1.0
    found = difference(score, baseline)
    worse = sign * (score.value - baseline.value) + 0.0  # never -0
    spread = stderr = _stderr(found.stderr, found.ci)
    if not gate.relative:
        return Regression(worse, gate.allowed, stderr, spread, found.method)
    allowed = gate.allowed * abs(baseline.value)
    if spread is not None and score.stderr is not None and baseline.stderr is not None:
        # worse - allowed = sign (score - factor baseline): its variance from those of the three differences.
        factor = 1 + sign * gate.allowed * math.copysign(1.0, baseline.value)
        covariance = (score.stderr**2 + baseline.stderr**2 - spread**2) / 2
        bound = score.stderr * baseline.stderr
        covariance = min(max(covariance, -bound), bound)
        variance = score.stderr**2 + factor**2 * baseline.stderr**2 - 2 * factor * covariance
        stderr = math.sqrt(max(variance, 0.0))
    return Regression(worse, allowed, stderr, spread, found.method)


def _stderr(stderr: float | None, interval: tuple[float, float] | None) -> float | None:
    """The standard error; larger where the 95% interval is wider than the normal one, as Student's is."""
    if stderr is None or interval is None:
        return stderr
    return max(stderr, (interval[1] - interval[0]) / (2 * NORMAL_95))
