"""One score: a value, how sure it is, and what it depends on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from gandiag.core.errors import InternalError, shown

Status = Literal["ok", "undefined", "unreliable"]
Better = Literal["lower", "higher"]

LARGEST = 1e150  # the squares of such numbers, and so their differences and errors, are finite
NORMAL_95 = 1.959963984540054  # two-sided 95% quantile of the standard normal


@dataclass(frozen=True)
class Score:
    """A number with its error bar, as it stands in a Result.

    Attributes:
        value: the number, within +-1e150, or None where it is undefined.
        status: `ok`; `unreliable`, a number whose reason to doubt it is in `reason`; `undefined`, no number.
        stderr: standard error, or None with the reason in `error_method`.
        ci95: 95% confidence interval.
        error_method: how `stderr` and `ci95` were found, or why there are none.
        better: which direction is better, None where it depends.
        n_real, n_fake: samples that the value was computed from.
        extractor: what the features came from; filled in by the evaluation.
        params: the metric's own settings.
        fingerprint: digest of all that must agree for two values to be comparable; filled in by the evaluation.
        details: what else a report can show.
    """

    value: float | None
    status: Status
    reason: str | None
    stderr: float | None
    ci95: tuple[float, float] | None
    error_method: str | None
    better: Better | None
    n_real: int | None
    n_fake: int
    extractor: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = [self.value, self.stderr, *(self.ci95 or ())]
        if not all(number is None or abs(number) <= LARGEST for number in numbers):
            raise InternalError(f"a score must be finite, within +-{LARGEST:g}, or undefined, not {shown(numbers)}")
        if self.status not in get_args(Status) or self.better not in (None, *get_args(Better)):
            raise InternalError(f"a score cannot be {self.status!r} with {self.better!r} better")
        if (self.value is None) != (self.status == "undefined"):
            raise InternalError(f"a score without a value must be undefined, not {self.status}")


def measured(
    value: float,
    *,
    stderr: float | None,
    error_method: str,
    better: Better | None,
    n_real: int | None,
    n_fake: int,
    limits: tuple[float, float] = (-math.inf, math.inf),
    interval: tuple[float, float] | None = None,
    unreliable: str | None = None,
    params: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Score:
    """A score with its 95% interval, cut to the `limits` of what the score can be.

    The interval is the normal one, `value` +- 1.96 `stderr`, where none is given.
    """
    if interval is None and stderr is not None:
        interval = (value - NORMAL_95 * stderr, value + NORMAL_95 * stderr)
    if interval is not None:
        low, high = limits
        interval = (min(max(interval[0], low), high), max(min(interval[1], high), low))
    return Score(
        value=value,
        status="unreliable" if unreliable else "ok",
        reason=unreliable,
        stderr=stderr,
        ci95=interval,
        error_method=error_method,
        better=better,
        n_real=n_real,
        n_fake=n_fake,
        params=params or {},
        details=details or {},
    )


def undefined(
    reason: str,
    *,
    better: Better | None,
    n_real: int | None,
    n_fake: int,
    params: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Score:
    """A score that has no value, and why."""
    return Score(
        value=None,
        status="undefined",
        reason=reason,
        stderr=None,
        ci95=None,
        error_method=None,
        better=better,
        n_real=n_real,
        n_fake=n_fake,
        params=params or {},
        details=details or {},
    )


def decimals(value: float, stderr: float | None, interval: tuple[float, float] | None) -> int:
    """Places to show: two digits of the standard error, or of a quarter of the interval, or four of the value."""
    low, high = interval or (0.0, 0.0)
    scale = stderr or (high - low) / 4 or (0.0 if value == int(value) else abs(value) / 100)
    return max(0, min(6, 1 - math.floor(math.log10(scale)))) if scale > 0 else 0
