"""The benchmark's runs: what is known of each, what was logged, and what the detectors say of it."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from truth import told_anew

from gandiag.core.alert import Alert, at_least
from gandiag.core.run_log import read_run_log
from gandiag.core.signals import Record
from gandiag.monitor.replay import replay


@dataclass(frozen=True)
class Logged:
    """A run as it was trained.

    Attributes:
        truth: what became of it, and its configuration.
        records: of the run log.
    """

    truth: Mapping[str, Any]
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Run(Logged):
    """A run with what the detectors say.

    Attributes:
        alerts: in the order in which they were raised.
    """

    alerts: tuple[Alert, ...]

    @property
    def alarms(self) -> list[Alert]:
        """Warnings and worse."""
        return [alert for alert in self.alerts if at_least(alert.severity, "warning")]

    @property
    def steps(self) -> int:
        """Of the run."""
        return self.records[-1].step if self.records else 0


def load(folder: Path, archive: Path) -> list[Logged]:
    """Every run, from the folder, or from the archive where there is none.

    What became of a run in the folder is read from its history anew, so that a change of `truth.py` needs no training.
    """
    return list(_from_folder(folder) if folder.is_dir() else _from_archive(archive))


def judged(loaded: Sequence[Logged], thresholds: Mapping[str, Any] | None = None) -> list[Run]:
    """Every run with the alerts of these thresholds."""
    return [Run(each.truth, each.records, tuple(replay(each.records, thresholds))) for each in loaded]


def _from_folder(folder: Path) -> Iterator[Logged]:
    for path in sorted(folder.glob("*.json")):
        text = gzip.decompress((folder / f"{path.stem}.jsonl.gz").read_bytes())
        yield Logged(told_anew(json.loads(path.read_text())), _records(text))


def _from_archive(archive: Path) -> Iterator[Logged]:
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(archive.read_bytes()))) as packed:
        held = {member.name: packed.extractfile(member) for member in packed.getmembers() if member.isfile()}
        for name in sorted(held):
            truth, log = held[name], held.get(name.removesuffix(".json") + ".jsonl")
            if name.endswith(".json") and truth is not None and log is not None:
                yield Logged(json.loads(truth.read()), _records(log.read()))


def _records(text: bytes) -> tuple[Record, ...]:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "run.jsonl"
        path.write_bytes(text)
        return read_run_log(path).records
