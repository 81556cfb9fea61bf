"""The interval of a score at a policy's confidence, and how many samples would take it off a limit."""

from __future__ import annotations

import math
from statistics import NormalDist

from gandiag.core.score import NORMAL_95, Score

POWER = 0.99  # how often the samples that a gate asks for settle it; the value that it reckons with is itself uncertain
MOST = 10_000_000  # samples beyond which a decision is said to be out of reach


def quantile(confidence: float, freedom: float = math.inf) -> float:
    """The two-sided quantile of Student's t; of the normal where the degrees of freedom are without end."""
    if math.isinf(freedom):
        return NormalDist().inv_cdf((1 + confidence) / 2)
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + confidence) / 2))


def beyond(deviations: float, freedom: float = math.inf) -> float:
    """How often so many standard errors or more come by chance, on one side."""
    if math.isinf(freedom):
        return NormalDist().cdf(-deviations)
    from scipy.special import stdtr

    return float(stdtr(freedom, -deviations))


def interval_at(score: Score, confidence: float) -> tuple[float, float] | None:
    """The score's interval at a confidence; None where it has no error bar.

    At 0.95 it is the score's own. At another each side of it is scaled by the ratio of the quantiles: those of the
    normal, or of Student's t: of the degrees of freedom that its details say, or where both sides are equal and wider
    than the normal makes them, which gives them away. A side that was cut short, at what the score can be, shrinks no
    further than its standard error says.
    """
    if score.value is None or (score.ci95 is None and score.stderr is None):
        return None
    normal = quantile(confidence)
    if score.ci95 is None:
        reach = normal * (score.stderr or 0.0)
        return score.value - reach, score.value + reach
    if confidence == 0.95:
        return score.ci95
    below, above = score.value - score.ci95[0], score.ci95[1] - score.value
    ratio, freedom = normal / NORMAL_95, score.details.get("freedom")
    if isinstance(freedom, int | float) and freedom >= 1:
        ratio = quantile(confidence, freedom) / quantile(0.95, freedom)
    elif score.stderr and math.isclose(below, above, rel_tol=1e-6) and below > NORMAL_95 * score.stderr * (1 + 1e-6):
        ratio = _student_ratio(below / score.stderr, confidence)
    reach = normal * (score.stderr or 0.0)
    below, above = (max(side * ratio, min(side, reach)) for side in (below, above))
    return score.value - below, score.value + above


def samples_needed(samples: int, half_width: float, gap: float, confidence: float) -> int | None:
    """About how many samples settle, `POWER` of the time, on which side of a limit at a distance `gap` a value lies.

    The half width of an interval shrinks with the square root of the samples, of both sides together.

    Args:
        samples: that there were.
        half_width: of the interval that they gave, at `confidence`.
        gap: from the true value to the limit.
        confidence: of the interval that decides.

    Returns:
        The number to two digits, rounded up; None where it is more than ten million.
    """
    if gap <= 0 or half_width <= 0:
        return None
    exact = samples * ((1 + NormalDist().inv_cdf(POWER) / quantile(confidence)) * half_width / gap) ** 2
    if exact > MOST:
        return None
    exact = max(exact, float(samples))
    step = 10.0 ** (math.floor(math.log10(exact)) - 1)
    return min(round(math.ceil(exact / step) * step), MOST)


def _student_ratio(factor: float, confidence: float) -> float:
    """The ratio of the quantiles of the Student's t whose 95% quantile is `factor`."""
    from scipy.optimize import brentq
    from scipy.stats import t

    if factor >= t.ppf(0.975, 1):
        freedom = 1.0
    elif factor <= t.ppf(0.975, 1e6):
        freedom = 1e6
    else:
        freedom = brentq(lambda value: t.ppf(0.975, value) - factor, 1.0, 1e6)
    return float(t.ppf((1 + confidence) / 2, freedom) / t.ppf(0.975, freedom))
