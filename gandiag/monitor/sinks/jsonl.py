"""The run log, `gandiag.run/1`: a line for each record, alert and note, on the disk as soon as it is written."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gandiag.core.alert import Alert
from gandiag.core.errors import InputError, UsageError, shown
from gandiag.core.run_log import FILE_NAME, LONGEST_LINE, SCHEMA
from gandiag.core.signals import Record


class RunLogWriter:
    """Writes the log of a run, each line whole and at once: a kill leaves a part of the last line at most.

    A log that lies in the folder is continued, or kept as `run.1.jsonl`, `run.2.jsonl`, ..., never overwritten.

    Args:
        folder: of the run; made where it is missing.
        header: what the log says of the run, beside its schema and when it was made.
        resume: continue the log that is there, if there is one.
        step: with `resume`, the step that the run goes on from; what was logged beyond it counts no more.
        time: with `resume`, the run's time at that step, in seconds.

    Raises:
        InputError: the folder or the log cannot be written.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        header: Mapping[str, Any],
        *,
        resume: bool = False,
        step: int = 0,
        time: float = 0.0,
    ) -> None:
        self.path = Path(folder) / FILE_NAME
        self._file: int | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            continued = resume and _mended(self.path)
            if not continued:
                _keep(self.path)
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            advice = "name a folder you may write to"
            raise InputError(f"cannot write the run log {shown(self.path)}: {reason}; {advice}") from error
        if not continued:
            created = datetime.now(UTC).isoformat(timespec="seconds")
            self._write({"schema": SCHEMA, "created": created, **header})
        if resume:
            changed = {"thresholds": header["thresholds"]} if continued and "thresholds" in header else {}
            self._write({"step": step, "time": round(time, 3), "resumed": True, **changed})

    def record(self, record: Record) -> None:
        """Write what `gandiag.core.run_log.as_logged` has made of a record."""
        signals = {name: _brief(value) for name, value in record.signals.items()}
        self._write({"step": record.step, "time": _brief(record.time), "signals": signals})

    def alert(self, alert: Alert) -> None:
        """Write an alert."""
        self._write({"step": alert.step, "alert": alert.to_dict()})

    def note(self, step: int, text: str) -> None:
        """Write a note."""
        self._write({"step": step, "note": text})

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, values: Mapping[str, Any]) -> None:
        if self._file is None:
            raise UsageError(f"the run log {shown(self.path)} is closed")
        line = json.dumps(values, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        if len(line) > LONGEST_LINE:
            raise UsageError(f"a line of {len(line):,} bytes is too long for the run log {shown(self.path)}")
        before = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) != len(line):
                raise OSError(28, "no space left on the device")
        except OSError as error:
            with contextlib.suppress(OSError):  # a part of a line would damage what another process may add later
                os.truncate(self._file, before)
            raise InputError(f"cannot write the run log {shown(self.path)}: {error.strerror}") from error


def _brief(value: float) -> float | int:
    """1 in place of 1.0, which reads the same; -0.0 has no such form."""
    whole = float(value).is_integer() and abs(value) < 1 << 53 and (value != 0 or str(value)[0] != "-")
    return int(value) if whole else float(value)


def _mended(path: Path) -> bool:
    """Whether there is a log to go on with; a last line that a kill cut short is ended or cut off."""
    if not path.is_file():
        return False
    with path.open("rb+") as file:
        first = file.readline(LONGEST_LINE)
        if not first.endswith(b"\n") or not _is_header(first):
            return False
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - LONGEST_LINE)
        file.seek(start)
        tail = file.read()
        rest = tail[tail.rfind(b"\n") + 1 :]
        if rest and _is_object(rest):
            file.write(b"\n")
        elif rest:
            file.truncate(size - len(rest))
    return True


def _keep(path: Path) -> None:
    """Move a log out of the way, to the first free `run.N.jsonl`."""
    if not path.exists() or path.is_dir():
        return
    number = 1
    while (kept := path.with_name(f"{path.stem}.{number}{path.suffix}")).exists():
        number += 1
    path.rename(kept)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _is_header(line: bytes) -> bool:
    return _is_object(line) and json.loads(line).get("schema") == SCHEMA


def open_sink(target: str | None) -> RunLogWriter:
    """A second log, in the folder of `jsonl:FOLDER`."""
    if not target:
        raise UsageError("the sink jsonl needs a folder, as in 'jsonl:runs/x'")
    return RunLogWriter(target, {})


SINK = open_sink
