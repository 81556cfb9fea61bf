"""Is a score worse than the baseline's by more than is allowed? The paired difference and its one-sided test."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gandiag.core.errors import UsageError
from gandiag.core.score import Score
from gandiag.gates.intervals import beyond, quantile
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
        freedom: degrees of freedom with which the standard errors are known.
    """

    worse: float
    allowed: float
    stderr: float | None
    spread: float | None
    method: str
    freedom: float = math.inf

    @property
    def p_value(self) -> float | None:
        """One-sided, for being no worse than allowed."""
        excess = self.worse - self.allowed
        if self.stderr is None:
            return None
        if self.stderr == 0:
            return 0.0 if excess > 0 else 1.0
        return beyond(excess / self.stderr, self.freedom)

    def no_worse(self, confidence: float) -> bool:
        """Whether it is not worse at all, with a confidence; then no allowance is needed."""
        return self.spread is not None and self.worse + quantile(confidence, self.freedom) * self.spread <= 0

    def interval(self, confidence: float) -> tuple[float, float] | None:
        """The interval of the difference at a confidence."""
        if self.stderr is None:
            return None
        reach = quantile(confidence, self.freedom) * self.stderr
        return self.worse - reach, self.worse + reach


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
    spread = stderr = found.stderr
    if not gate.relative:
        return Regression(worse, gate.allowed, stderr, spread, found.method, found.freedom)
    allowed = gate.allowed * abs(baseline.value)
    if spread is not None and score.stderr is not None and baseline.stderr is not None:
        # worse - allowed = sign (score - factor baseline): its variance from those of the three differences.
        factor = 1 + sign * gate.allowed * math.copysign(1.0, baseline.value)
        covariance = (score.stderr**2 + baseline.stderr**2 - spread**2) / 2
        bound = score.stderr * baseline.stderr
        covariance = min(max(covariance, -bound), bound)
        variance = score.stderr**2 + factor**2 * baseline.stderr**2 - 2 * factor * covariance
        stderr = math.sqrt(max(variance, 0.0))
    return Regression(worse, allowed, stderr, spread, found.method, found.freedom)
