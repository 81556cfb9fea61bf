"""What was wrong with a run, from its log: gandiag's own, TensorBoard's events or a table."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gandiag.core.alert import SEVERITIES, Alert, Severity
from gandiag.core.errors import InputError, UsageError, shown
from gandiag.core.run_log import FILE_NAME, RunLog, last_good_step, read_run_log
from gandiag.core.signals import SIGNALS
from gandiag.monitor.importers.csv import read_csv
from gandiag.monitor.importers.names import mapped
from gandiag.monitor.importers.series import joined
from gandiag.monitor.importers.tensorboard import event_folders, read_events
from gandiag.monitor.replay import replay_all
from gandiag.monitor.thresholds import Thresholds, as_mapping

SCHEMA = "gandiag.diagnosis/1"
TABLES = (".csv", ".tsv", ".txt", ".dat")
Format = Literal["gandiag", "tensorboard", "csv"]


@dataclass(frozen=True)
class Measured:
    """What one signal was over a run: how often it was measured, at which steps, and its values."""

    records: int
    first_step: int
    last_step: int
    first: float
    last: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Diagnosis:
    """What was wrong with a run, and what nobody looked at.

    Attributes:
        name: the run's file or folder.
        format: of the log, `gandiag`, `tensorboard` or `csv`.
        log: records, and the alerts that were raised at the time.
        alerts: by step, from a replay of the records.
        inactive: rules that saw nothing, kind to what they lack; they are not healthy, they are blind.
        mapping: signal to foreign name, for a log of another tool.
        unmapped: foreign names that were not used, and why.
        notes: on how the log was read.
    """

    name: str
    format: Format
    log: RunLog
    alerts: tuple[Alert, ...]
    inactive: Mapping[str, str]
    mapping: Mapping[str, str] = field(default_factory=dict)
    unmapped: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def worst(self) -> Severity | None:
        """The worst severity among the alerts, None where there are none."""
        return max((alert.severity for alert in self.alerts), key=SEVERITIES.index, default=None)

    @property
    def last_good_step(self) -> int | None:
        """The last step recorded before the first condition that led to a warning or worse; None where none was."""
        return last_good_step(self.log.records, self.alerts)

    @property
    def last_step(self) -> int | None:
        """The last step recorded."""
        return self.log.records[-1].step if self.log.records else None

    @property
    def measured(self) -> dict[str, Measured]:
        """The signals that the log has."""
        points: dict[str, list[tuple[int, float]]] = {}
        for record in self.log.records:
            for name, value in record.signals.items():
                points.setdefault(name, []).append((record.step, value))
        order = {name: place for place, name in enumerate(SIGNALS)}
        names = sorted(points, key=lambda name: (order.get(name.partition("@")[0], len(order)), name))
        return {name: _measured(points[name]) for name in names}

    @property
    def verdict(self) -> str:
        """What came of it, in one line."""
        blind = f"; {_count(len(self.inactive), 'rule')} saw nothing" if self.inactive else ""
        if not self.log.records:
            return "nothing was measured, so nothing can be said"
        steps = f"{self.last_step:,} steps"
        if not self.alerts:
            return f"no alert in {steps}{blind}"
        first = next(alert for alert in self.alerts if alert.severity == self.worst)
        good = (
            "" if self.last_good_step is None or self.worst == "info" else f"; last good step {self.last_good_step:,}"
        )
        what = f"{_count(len(self.alerts), 'alert')} in {steps}, the worst {first.severity}"
        return f"{what}: {first.kind} at step {first.step:,}{good}{blind}"

    def to_dict(self) -> dict[str, Any]:
        """The diagnosis as plain values, for strict JSON; the records stay in the log."""
        return {
            "schema": SCHEMA,
            "run": {"name": self.name, "format": self.format, "header": dict(self.log.header)},
            "verdict": self.verdict,
            "worst": self.worst,
            "last_step": self.last_step,
            "last_good_step": self.last_good_step,
            "alerts": [alert.to_dict() for alert in self.alerts],
            "alerts_at_the_time": [alert.to_dict() for alert in self.log.alerts],
            "inactive": dict(self.inactive),
            "measured": {name: vars(measured) for name, measured in self.measured.items()},
            "mapping": dict(self.mapping),
            "unmapped": dict(self.unmapped),
            "notes": [*self.notes, *(f"step {step}: {text}" for step, text in self.log.notes)],
        }

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"


def diagnose(
    run: str | os.PathLike[str],
    thresholds: Thresholds | str | os.PathLike[str] | None = None,
    map: Mapping[str, str] | None = None,
) -> Diagnosis:
    """Say what was wrong with a run, from what it logged.

    Args:
        run: a run folder or its `run.jsonl`, a folder of TensorBoard events, or a table (`.csv`, `.tsv`).
        thresholds: kind to field to value, in place of a detector's defaults; `{kind: False}` leaves one out.
            Or a TOML file of them. Default: those that the log's header names, or else the detectors' own.
        map: foreign name to signal, for another tool's log, where the guess is wrong; an empty signal leaves one out.

    Raises:
        InputError: there is no such log, or it is damaged.
        UnknownNameError: no such detector, threshold, foreign name or signal.
        UsageError: a threshold is of the wrong kind or range, or `map` is given for a log of gandiag's.
        MissingExtraError: a TensorBoard folder, without tensorboard.
    """
    path, limits = Path(run), as_mapping(thresholds)
    form, place = _format(path)
    if form == "gandiag":
        return _own(path, place, limits, map)
    series = read_csv(place) if form == "csv" else read_events(place)
    found = mapped(series, map)
    log = RunLog({}, tuple(joined(found.series)), ())
    alerts, inactive = replay_all(log.records, limits)
    mapping = {signal: one.name for signal, one in found.series.items()}
    return Diagnosis(str(path), form, log, tuple(alerts), inactive, mapping, found.unmapped, series.notes)


def _own(path: Path, place: Path, thresholds: Thresholds | None, map: Mapping[str, str] | None) -> Diagnosis:
    if map:
        raise UsageError(f"{shown(path)} is a log of gandiag's own, whose names need no map; leave it out")
    log = read_run_log(place)
    asked = log.header.get("thresholds") if thresholds is None else None
    try:
        alerts, inactive = replay_all(log.records, thresholds if asked is None else asked)
    except UsageError as error:
        if asked is None:
            raise
        advice = "name thresholds of your own"
        raise InputError(
            f"the header of {shown(place)} has thresholds that cannot be used: {error}; {advice}"
        ) from error
    return Diagnosis(str(path), "gandiag", log, tuple(alerts), inactive)


def _format(path: Path) -> tuple[Format, Path]:
    """What kind of log it is, and where."""
    try:
        if not path.exists():
            raise InputError(
                f"{shown(path)} does not exist; expected a run folder, a log, TensorBoard events or a table"
            )
        if not path.is_dir():
            if "tfevents" in path.name:
                return "tensorboard", path
            return ("csv" if path.suffix.lower() in TABLES else "gandiag"), path
        if (path / FILE_NAME).exists():
            return "gandiag", path / FILE_NAME
        if event_folders(path):
            return "tensorboard", path
        tables = [file for suffix in TABLES[:2] for file in sorted(path.rglob(f"*{suffix}"))]
    except OSError as error:
        raise InputError(f"cannot read {shown(path)}: {error.strerror}") from error
    if len(tables) == 1:
        return "csv", tables[0]
    if tables:
        raise InputError(f"{shown(path)} holds {len(tables)} tables, such as {shown(tables[0])}; name one of them")
    expected = f"expected {FILE_NAME}, TensorBoard events (*tfevents*) or a table (.csv)"
    raise InputError(f"{shown(path)} holds no log: {expected}")


def _measured(series: list[tuple[int, float]]) -> Measured:
    values = [value for _, value in series]
    return Measured(len(series), series[0][0], series[-1][0], values[0], values[-1], min(values), max(values))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
