"""A run's records through the detectors once more: the alerts that a monitor raised with the same thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gandiag.core.alert import Alert
from gandiag.core.signals import Record
from gandiag.monitor.engine import Engine

Thresholds = Mapping[str, Mapping[str, Any] | bool]


def replay(records: Iterable[Record], thresholds: Thresholds | None = None) -> list[Alert]:
    """The alerts over a run.

    Args:
        records: by step, as a run log holds them.
        thresholds: kind to field to value, in place of a detector's defaults; `{kind: False}` leaves one out.

    Raises:
        UnknownNameError: no such detector, or it has no such threshold.
        UsageError: a value is of the wrong kind or range.
    """
    return replay_all(records, thresholds)[0]


def replay_all(records: Iterable[Record], thresholds: Thresholds | None = None) -> tuple[list[Alert], dict[str, str]]:
    """The alerts over a run, and the rules that saw nothing: kind to what they lack. Arguments as of `replay`."""
    engine = Engine(thresholds)
    alerts = [alert for record in records for alert in engine.update(record)]
    return alerts, engine.inactive()
