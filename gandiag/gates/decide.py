"""Deciding: each gate of a policy against what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from gandiag.core.alert import at_least
from gandiag.core.errors import InputError
from gandiag.core.result import Result
from gandiag.core.run_log import RunLog
from gandiag.core.score import Score
from gandiag.gates.find import check_comparable, find_score
from gandiag.gates.intervals import MOST, interval_at, samples_needed
from gandiag.gates.policy import (
    ANY_ALERT,
    AlertGate,
    LimitGate,
    MissingModesGate,
    OnInconclusive,
    Policy,
    RegressionGate,
)
from gandiag.gates.regression import Regression, regression
from gandiag.gates.verdict import Outcome, Status
from gandiag.gates.watched import blind, unseen

Finding = tuple[str, Score]
PASSED: Status = "passed"
FAILED: Status = "failed"
INCONCLUSIVE: Status = "inconclusive"


def decide_limit(gate: LimitGate, found: Finding, confidence: float) -> Outcome:
    """Passed where the whole interval is inside the limits, failed where all of it is beyond one."""
    key, score = found
    outcome = Outcome(
        gate.title,
        "limit",
        "failed",
        "failed",
        "",
        score=key,
        value=score.value,
        interval=interval_at(score, confidence),
        minimum=gate.minimum,
        maximum=gate.maximum,
        samples=score.n_fake,
    )
    return _meant(_limited(outcome, score, confidence), gate.on_inconclusive)


def decide_missing_modes(gate: MissingModesGate, found: Finding, confidence: float) -> Outcome:
    """As a limit, of the modes that there are less those that were found.

    Raises:
        InputError: the score does not say how many modes there are.
    """
    key, score = found
    total = score.params.get("total")
    if type(total) is not int:
        raise InputError(f"{key} does not say how many modes there are; score it with this version of gandiag")
    interval = interval_at(score, confidence)
    outcome = Outcome(
        gate.title,
        "missing_modes",
        "failed",
        "failed",
        "",
        score=key,
        value=None if score.value is None else total - score.value,
        interval=None if interval is None else (max(total - interval[1], 0.0), total - interval[0]),
        maximum=float(gate.maximum),
        samples=score.n_fake,
    )
    decided = _limited(outcome, score, confidence)
    missing = score.details.get("missing")
    if decided.status != "passed" and isinstance(missing, Sequence) and missing and not isinstance(missing, str):
        names = ", ".join(str(name) for name in missing[:10])
        more = f" and {len(missing) - 10:,} more" if len(missing) > 10 else ""
        decided = replace(decided, reason=f"{decided.reason}; missing: {names}{more}")
    return _meant(decided, gate.on_inconclusive)


def decide_alerts(gate: AlertGate, log: RunLog) -> Outcome:
    """Failed where more alerts are in the log than allowed, passed where no more are and somebody looked for them.

    Raises:
        InputError: the thresholds in the log's header cannot be used.
    """
    counted = [
        alert
        for alert in log.alerts
        if gate.alert in (ANY_ALERT, alert.kind) and at_least(alert.severity, gate.severity)
    ]
    listed = ", ".join(f"{alert.kind} at step {alert.step} ({alert.severity})" for alert in counted[:5])
    more = f" and {len(counted) - 5} more" if len(counted) > 5 else ""
    reason = f"{listed}{more}" if counted else "none in the run log"
    status, doubt = FAILED, None
    if len(counted) <= gate.maximum:
        doubt = unseen(gate.alert, log)
        status = PASSED if doubt is None else INCONCLUSIVE
        if doubt is None and gate.alert == ANY_ALERT:
            lacking = [f"{kind} {what}" for kind, what in blind(log).items()]
            doubt = f"nobody looked: {'; '.join(lacking)}" if lacking else None
    outcome = Outcome(
        gate.title,
        "alert",
        status,
        status,
        reason if doubt is None else f"{reason}; {doubt}",
        value=float(len(counted)),
        maximum=float(gate.maximum),
    )
    return _meant(outcome, gate.on_inconclusive)


def decide_regressions(
    gates: Sequence[RegressionGate], result: Result, baseline: Result, policy: Policy, confidence: float
) -> list[Outcome]:
    """Failed where the score is significantly worse than allowed, passed where it is significantly not.

    Each test is one-sided at half of what the confidence leaves, so that it agrees with the two-sided interval that is
    shown; Holm's correction holds the chance of any false failure among them to the same.

    Raises:
        InputError: a baseline's score follows another protocol.
    """
    from gandiag.comparison.holm import holm

    measured: list[tuple[RegressionGate, str, Score, Score, Regression | None]] = []
    for gate in gates:
        key, score = find_score(result, gate, policy)
        other_key, other = find_score(baseline, gate, policy, "the baseline")
        check_comparable(key, result, other_key, baseline)
        both = score.value is not None and other.value is not None
        measured.append((gate, key, score, other, regression(score, other, gate) if both else None))
    tested = [index for index, each in enumerate(measured) if each[4] is not None and each[4].p_value is not None]
    corrected = holm([each.p_value or 0.0 for index in tested if (each := measured[index][4]) is not None])
    p_values = dict(zip(tested, corrected, strict=True))
    return [_regressed(*each, p_values.get(index), confidence) for index, each in enumerate(measured)]


def _regressed(
    gate: RegressionGate,
    key: str,
    score: Score,
    baseline: Score,
    found: Regression | None,
    p_value: float | None,
    confidence: float,
) -> Outcome:
    outcome = Outcome(
        gate.title,
        "regression",
        "failed",
        "failed",
        "",
        score=key,
        value=score.value,
        baseline=baseline.value,
        samples=score.n_fake,
    )
    if found is None:
        side, reason = ("it", score.reason) if score.value is None else ("the baseline", baseline.reason)
        return replace(outcome, reason=f"{side} is undefined: {reason}")
    interval = found.interval(confidence)
    outcome = replace(outcome, difference=found.worse, maximum=found.allowed, interval=interval, p_value=p_value)
    said = f"worse by {found.worse:.4g}, allowed {found.allowed:.4g}, {found.method}"
    status, needed = FAILED, None
    if interval is None or p_value is None:
        status = PASSED if found.worse <= found.allowed else FAILED
        said = f"worse by {found.worse:.4g}, allowed {found.allowed:.4g}; no error bar, decided by the values"
    elif interval[1] <= found.allowed or found.no_worse(confidence):
        status = PASSED
    elif p_value > (1 - confidence) / 2:
        status, half = INCONCLUSIVE, (interval[1] - interval[0]) / 2
        # A model as good as the baseline passes, and one worse by twice the allowance fails, with so many samples.
        needed = samples_needed(score.n_fake, half, found.allowed, confidence)
        if needed is None or needed <= score.n_fake:
            needed = samples_needed(score.n_fake, half, abs(found.worse - found.allowed), confidence)
        said = f"{said}; {_asked(needed)}"
    outcome = replace(outcome, status=status, reason=said, samples_needed=needed)
    for side, each in (("it", score), ("the baseline", baseline)):
        outcome = _doubted(outcome, each, side)
    return _meant(outcome, gate.on_inconclusive)


def _limited(outcome: Outcome, score: Score, confidence: float) -> Outcome:
    """The outcome's status and reason from its value, interval and limits."""
    value = outcome.value
    if value is None:
        return replace(outcome, reason=f"undefined: {score.reason}; what cannot be measured does not pass")
    low, high = outcome.interval or (value, value)
    minimum = -math.inf if outcome.minimum is None else outcome.minimum
    maximum = math.inf if outcome.maximum is None else outcome.maximum
    needed = None
    if minimum <= low and high <= maximum:
        status, reason = PASSED, "inside"
    elif low > maximum or high < minimum:
        status, reason = FAILED, f"beyond {maximum if low > maximum else minimum:g}"
    else:
        across = [each for each in (minimum, maximum) if low <= each <= high]
        limit = min(across, key=lambda each: abs(each - value))
        side = high - value if value <= limit else value - low
        needed = samples_needed(score.n_fake, side, abs(value - limit), confidence)
        status, reason = INCONCLUSIVE, f"{limit:g} lies within the interval; {_asked(needed)}"
    if outcome.interval is None:
        reason += "; no error bar, decided by the value"
    return _doubted(replace(outcome, status=status, reason=reason, samples_needed=needed), score, "it")


def _doubted(outcome: Outcome, score: Score, side: str) -> Outcome:
    """A number that there is reason to doubt shows nothing to be inside its limit."""
    if score.status != "unreliable":
        return outcome
    status = INCONCLUSIVE if outcome.status == "passed" else outcome.status
    return replace(outcome, status=status, reason=f"{outcome.reason}; {side} is unreliable: {score.reason}")


def _meant(outcome: Outcome, meaning: OnInconclusive) -> Outcome:
    """What the policy makes of it."""
    if outcome.status != "inconclusive" or meaning == "inconclusive":
        return replace(outcome, verdict=outcome.status)
    return replace(outcome, verdict="failed" if meaning == "fail" else "passed")


def _asked(needed: int | None) -> str:
    if needed is None:
        return f"it lies so near that more than {MOST:,} samples would not settle it"
    return f"about {needed:,} samples would settle it"
