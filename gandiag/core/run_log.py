"""Reading the run log, `gandiag.run/1`: a header, then records, alerts, notes and resumptions, one JSON line each.

    {"schema": "gandiag.run/1", "created": ..., "players": {...}, ...}
    {"step": 50, "time": 1.9, "signals": {"auc": 0.81, ...}}
    {"step": 900, "alert": {"kind": "mode_collapse", ...}}
    {"step": 50, "note": "the discriminator's outputs cannot be read; call monitor.observe(...)"}
    {"step": 400, "time": 16.1, "resumed": true}

A run that goes on from an earlier step than the last one logged has a `resumed` line: what came before that line and
lies beyond its step was undone, and counts no more. Its thresholds, where it names some, are those from then on, and of
the earlier records, which went to the detectors again.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from gandiag.core.alert import Alert, at_least
from gandiag.core.errors import InputError, shown
from gandiag.core.signals import Record
from gandiag.core.strict_json import parse_json

SCHEMA = "gandiag.run/1"
FILE_NAME = "run.jsonl"
DIGITS = 7  # significant ones that the log keeps of a signal: what float32 holds
# Limits against files that were made to fill the memory. A record of every signal has 2 kB, a million steps 20 MB.
LONGEST_LINE = 1 << 20
MOST_BYTES = 256 << 20
MOST_LINES = 2_000_000
MOST_SIGNALS = 2_000
_ALERT_FIELDS = frozenset(entry.name for entry in dataclasses.fields(Alert))


@dataclass(frozen=True)
class RunLog:
    """What a run left behind, with what a resumption undid taken out.

    Attributes:
        header: of the log; empty where the signals come from another tool.
        records: by step.
        alerts: as they were raised at the time.
        notes: step and text.
    """

    header: Mapping[str, Any]
    records: tuple[Record, ...]
    alerts: tuple[Alert, ...]
    notes: tuple[tuple[int, str], ...] = ()


def as_logged(record: Record) -> Record:
    """The record as a reader of the log sees it, which is what detectors must be given for a replay to give the same.

    Values keep 7 significant digits (whole numbers all of theirs), the time milliseconds. What is not finite is left
    out: it is told by the `non_finite_*` counts.
    """
    signals = {name: _rounded(value) for name, value in record.signals.items() if math.isfinite(value)}
    return Record(record.step, round(record.time, 3), signals)


def last_good_step(records: Sequence[Record], alerts: Iterable[Alert]) -> int | None:
    """The last step recorded before the first condition that led to a warning or worse; None where none was."""
    ill = [alert.since_step for alert in alerts if at_least(alert.severity, "warning")]
    return max((record.step for record in records if not ill or record.step < min(ill)), default=None)


def log_path(run: str | os.PathLike[str]) -> Path:
    """The log of a run that is named by its folder or by the log itself."""
    path = Path(run)
    return path / FILE_NAME if path.is_dir() else path


def read_run_log(run: str | os.PathLike[str]) -> RunLog:
    """Read the log of a run.

    Args:
        run: a log, or the folder that holds `run.jsonl`.

    Raises:
        InputError: there is no log, it is no log of this format, or a line of it is damaged. A last line that a kill
            cut short is left out, and lines of kinds that this version does not know are passed over.
    """
    log = GrowingLog(run)
    try:
        log.update()
        log.take_last_line()
    except FileNotFoundError as error:
        expected = f"expected a run folder with {FILE_NAME}, or the log itself"
        raise InputError(f"{shown(log.path)} does not exist; {expected}") from error
    if not log.begun:
        raise InputError(f"{shown(log.path)} holds no whole line; expected a run log, {SCHEMA}")
    return log.so_far()


@dataclass
class GrowingLog:
    """A log that may still be written: every `update` takes in what is new.

    A log that was replaced, as by a new run in the same folder, is read from its beginning.

    Args:
        run: a log, or the folder that holds `run.jsonl`, or will.
    """

    run: str | os.PathLike[str]
    header: dict[str, Any] = field(default_factory=dict, init=False)
    records: list[Record] = field(default_factory=list, init=False)
    alerts: list[Alert] = field(default_factory=list, init=False)
    notes: list[tuple[int, str]] = field(default_factory=list, init=False)
    _lines: int = field(default=0, init=False)
    _offset: int = field(default=0, init=False)
    _first_line: bytes = field(default=b"", init=False)
    _names: set[str] = field(default_factory=set, init=False)  # of all signals

    @property
    def path(self) -> Path:
        """Where the log lies or will lie."""
        return log_path(self.run)

    @property
    def begun(self) -> bool:
        """Whether a header has been read."""
        return bool(self.header)

    def so_far(self) -> RunLog:
        """What has been read."""
        return RunLog(dict(self.header), tuple(self.records), tuple(self.alerts), tuple(self.notes))

    def update(self) -> bool:
        """Take in the whole lines that are new; whether there were any, or the log was replaced.

        Raises:
            FileNotFoundError: it is not there, or not yet.
            InputError: it cannot be read, is no log of this format, or a line is damaged.
        """
        changed = False
        with _opened(self.path) as file:
            shorter = self._size(file) < self._offset
            if shorter or file.read(len(self._first_line)) != self._first_line:
                self._start_again()
                changed = True
            file.seek(self._offset)
            while line := file.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    self._refuse(f"longer than {LONGEST_LINE:,} bytes")
                if not line.endswith(b"\n"):
                    break
                self._take(line)
                changed = True
        return changed

    def take_last_line(self) -> None:
        """Take in a last line that lacks its line break, if it is whole; a part of one is left out."""
        with _opened(self.path) as file:
            file.seek(self._offset)
            line = file.readline(LONGEST_LINE)
        try:
            whole = isinstance(_json(line), dict)
        except ValueError:
            return
        if whole:
            self._take(line)

    def _size(self, file: BinaryIO) -> int:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            raise InputError(f"{shown(self.path)} has {size:,} bytes; a run log has {MOST_BYTES:,} at most")
        return size

    def _start_again(self) -> None:
        self.header, self.records, self.alerts, self.notes = {}, [], [], []
        self._lines, self._offset, self._first_line, self._names = 0, 0, b"", set()

    def _take(self, line: bytes) -> None:
        if self._lines >= MOST_LINES:
            self._refuse(f"a run log has {MOST_LINES:,} lines at most")
        try:
            values = _json(line)
        except ValueError as error:
            if not self.begun:
                self._refuse_format()
            self._refuse(f"damaged, {error}")
        if not isinstance(values, dict):
            if not self.begun:
                self._refuse_format()
            self._refuse("expected an object in braces")
        if self.begun:
            self._take_entry(values)
        else:
            self._take_header(values)
            self._first_line = line
        self._lines += 1
        self._offset += len(line)

    def _take_header(self, values: dict[str, Any]) -> None:
        schema = values.get("schema")
        if schema != SCHEMA:
            if isinstance(schema, str) and schema.startswith("gandiag.run/"):
                raise InputError(f"{shown(self.path)} is of schema {shown(schema)}, this gandiag reads {SCHEMA}")
            self._refuse_format()
        self.header = values

    def _take_entry(self, values: dict[str, Any]) -> None:
        if "schema" in values:
            self._refuse("a second header: two logs in one file")
        kinds = [kind for kind in ("signals", "alert", "note", "resumed") if kind in values]
        if not kinds:
            return  # of a newer version
        step = values.get("step")
        if type(step) is not int or not 0 <= step < 1 << 63:
            self._refuse(f"its step is {shown(step)}, expected a whole number")
        match kinds[0]:
            case "signals":
                self.records.append(self._record(step, values))
            case "alert":
                self.alerts.append(self._alert(values["alert"]))
            case "note":
                self.notes.append((step, str(values["note"])))
            case "resumed":
                if "thresholds" in values:
                    self.header = {**self.header, "thresholds": values["thresholds"]}
                self.records = [record for record in self.records if record.step <= step]
                self.alerts = [alert for alert in self.alerts if alert.step <= step]
                self.notes = [note for note in self.notes if note[0] <= step]

    def _record(self, step: int, values: dict[str, Any]) -> Record:
        signals = values["signals"]
        if not isinstance(signals, dict):
            self._refuse(f"its signals are {shown(signals)}, expected names and numbers")
        self._names.update(signals)
        if len(self._names) > MOST_SIGNALS:
            self._refuse(f"a run log has {MOST_SIGNALS:,} signals at most")
        return Record(
            step,
            self._number("time", values.get("time", 0)),
            {sys.intern(name): self._number(name, value) for name, value in signals.items()},
        )

    def _number(self, name: str, value: object) -> float:
        try:
            number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self._refuse(f"{shown(name)} is {shown(value)}, expected a finite number")
        return number

    def _alert(self, values: object) -> Alert:
        if isinstance(values, dict):  # what a newer version says of an alert beside is passed over
            values = {name: value for name, value in values.items() if name in _ALERT_FIELDS}
        try:
            return Alert.from_dict(values)
        except (InputError, OverflowError) as error:
            self._refuse(str(error))

    def _refuse(self, what: str) -> NoReturn:
        advice = "cut the log there, or read a copy that is whole"
        raise InputError(f"{shown(self.path)}, line {self._lines + 1}: {what}; {advice}")

    def _refuse_format(self) -> NoReturn:
        raise InputError(f"{shown(self.path)} is no run log: its first line is no header of {SCHEMA}")


def _rounded(value: float) -> float:
    value = float(value)
    return value + 0.0 if value.is_integer() else float(f"{value:.{DIGITS}g}")


def _opened(path: Path) -> BinaryIO:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its writer
            what = f"a folder without {FILE_NAME}" if path.is_dir() else "no regular file"
            raise InputError(f"{shown(path)} is {what}; expected a run folder or its {FILE_NAME}")
        return path.open("rb")
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"cannot read {shown(path)}: {reason}") from error


def _json(line: bytes) -> object:
    """What strict JSON of one line says; ValueError says briefly why it is none."""
    try:
        return parse_json(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON at column {error.colno}") from None
