"""One alert of the monitor: what it saw, over which steps, and what to do about it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from gandiag.core.errors import InputError, shown

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # from the least to the worst
KINDS = (
    "mode_collapse",
    "mode_dropping",
    "vanishing_gradient",
    "exploding_gradient",
    "non_convergence",
    "overpowering_discriminator",
    "losing_discriminator",
    "discriminator_overfitting",
    "imbalance",
    "non_finite",
    "broken_loop",
)


@dataclass(frozen=True)
class Alert:
    """One episode of an illness, raised once.

    Attributes:
        kind: one of `KINDS`, or the name of an outside detector.
        severity: `critical` for a certain bug or two independent signals that agree, `warning` for one signal,
            `info` for what is worth knowing and no alarm.
        step: the step at which it was raised.
        since_step: the step from which the condition holds.
        message: what was measured, over which window, against which limit, and what it usually means; one line.
        evidence: signal name to value.
        advice: what to check first and what to try, with its source, and how to silence the alert.
    """

    kind: str
    severity: Severity
    step: int
    since_step: int
    message: str
    evidence: Mapping[str, float] = field(default_factory=dict)
    advice: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The alert as plain values, for strict JSON."""
        return {**dataclasses.asdict(self), "evidence": dict(self.evidence), "advice": list(self.advice)}

    @staticmethod
    def from_dict(values: object) -> Alert:
        """The alert that `to_dict` gave.

        Raises:
            InputError: these are no values of an alert.
        """
        if not isinstance(values, Mapping):
            raise InputError(f"not an alert: {shown(values)}")
        try:
            alert = Alert(**{**values, "advice": tuple(values.get("advice", ()))})
        except TypeError as error:
            raise InputError(f"not an alert: {error}") from error
        texts = (alert.kind, alert.message, *alert.advice)
        steps = (alert.step, alert.since_step)
        numbers = list(alert.evidence.values()) if isinstance(alert.evidence, Mapping) else [None]
        if (
            not all(isinstance(text, str) for text in texts)
            or not all(type(step) is int for step in steps)
            or not all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
            or alert.severity not in SEVERITIES
        ):
            raise InputError(f"not an alert: {shown(dict(values))}")
        return alert


def at_least(severity: Severity, level: Severity) -> bool:
    """Whether `severity` is `level` or worse."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(level)
