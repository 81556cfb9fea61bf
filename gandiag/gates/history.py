"""The history of releases: a folder with one JSON file a run, each a Result and what a gate said of it.

Records are only ever added, each under a name of its own, so that two jobs may record at once, and two histories are
merged by copying the files of one into the other.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.core.errors import InputError, MissingDataError, shown, suggestion
from gandiag.core.files import atomic_write, read_bounded
from gandiag.core.fingerprint import fingerprint
from gandiag.core.result import Result
from gandiag.core.strict_json import parse_json
from gandiag.gates.verdict import Verdict

SCHEMA = "gandiag.record/1"
LAST, LAST_PASSED = "last", "last-passed"


@dataclass(frozen=True)
class Record:
    """One run of a history.

    Attributes:
        name: of its file, without the suffix; a person may rename the file.
        recorded: when, in ISO 8601 with UTC offset.
        result: what was scored.
        verdict: what a gate said of it; None where none was asked.
    """

    name: str
    recorded: str
    result: Result
    verdict: Verdict | None

    @property
    def passed(self) -> bool:
        """Whether a gate passed it."""
        return self.verdict is not None and self.verdict.passed


@dataclass(frozen=True)
class TrendPoint:
    """One score of one record.

    Attributes:
        record, recorded, source: which run, when, and of what.
        verdict: `passed`, `failed`, `inconclusive`, or None where no gate was asked.
        score: its name.
        value, ci95: of the score.
        comparable: whether it follows the same protocol as the score of this name in the record before.
    """

    record: str
    recorded: str
    source: str
    verdict: str | None
    score: str
    value: float | None
    ci95: tuple[float, float] | None
    comparable: bool


def record_run(history: str | os.PathLike[str], result: Result, verdict: Verdict | None = None) -> Path:
    """Add a run to a history, and give its file.

    The file appears whole or not at all, under a name of the time and of its content.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    folder = Path(history)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"the history {shown(folder)} is a file, expected a folder")
    now = datetime.datetime.now(datetime.UTC)
    content = {
        "recorded": now.isoformat(timespec="microseconds"),
        "result": json.loads(result.to_json()),
        "verdict": None if verdict is None else json.loads(verdict.to_json()),
    }
    digest = fingerprint(content)
    path = folder / f"{now:%Y%m%dT%H%M%S.%fZ}-{digest[:12]}.json"
    with atomic_write(path) as temporary:
        text = json.dumps({"schema": SCHEMA, "sha256": digest, **content}, indent=1, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def read_history(history: str | os.PathLike[str], warn: Callable[[str], None] | None = None) -> tuple[Record, ...]:
    """The records of a history, the oldest first.

    Args:
        history: the folder.
        warn: told of each file that is damaged, which is left where it is and skipped.

    Raises:
        MissingDataError: there is no such folder.
    """
    folder = Path(history)
    if not folder.is_dir():
        raise MissingDataError(
            f"there is no history {shown(folder)}, expected a folder; `gandiag gate --record` makes one"
        )
    records = []
    # Half-written files of a job that was killed, and other hidden files, begin with a dot.
    for path in sorted(path for path in folder.glob("*.json") if not path.name.startswith(".")):
        try:
            records.append(_read(path))
        except InputError as error:
            if warn is not None:
                warn(f"the record {shown(path)} is skipped: {error}")
    return tuple(sorted(records, key=lambda record: (record.recorded, record.name)))


def find_record(history: str | os.PathLike[str], name: str, warn: Callable[[str], None] | None = None) -> Record:
    """The record called `name`, the `last` one, or the `last-passed`.

    Raises:
        MissingDataError: there is no such folder, or no record in it that can be read, or none that passed.
        InputError: there is no record of that name.
    """
    records = read_history(history, warn)
    if name == LAST_PASSED:
        candidates = [record for record in records if record.passed]
    elif name == LAST:
        candidates = list(records)
    else:
        candidates = [record for record in records if name in (record.name, f"{record.name}.json")]
    if candidates:
        return candidates[-1]
    if not records:
        raise MissingDataError(f"the history {shown(history)} holds no record that can be read")
    if name == LAST_PASSED:
        raise MissingDataError(
            f"none of the {len(records)} records of {shown(history)} passed a gate; name one of them"
        )
    names = [LAST, LAST_PASSED, *(record.name for record in records)]
    raise InputError(
        f"the history {shown(history)} has no record {shown(name)}{suggestion(name, names)}; "
        f"expected last, last-passed, or a name such as {records[-1].name}"
    )


def trend(records: Iterable[Record], scores: Iterable[str] | None = None) -> tuple[TrendPoint, ...]:
    """The scores of each record, in the order of the records; those of `scores`, or all."""
    wanted = None if scores is None else set(scores)
    before: dict[str, str | None] = {}
    points = []
    for record in records:
        for name, score in record.result.scores.items():
            if wanted is not None and name not in wanted:
                continue
            points.append(
                TrendPoint(
                    record=record.name,
                    recorded=record.recorded,
                    source=str(record.result.source.get("name")),
                    verdict=None if record.verdict is None else record.verdict.status,
                    score=name,
                    value=score.value,
                    ci95=score.ci95,
                    comparable=before.get(name, score.fingerprint) == score.fingerprint,
                )
            )
            before[name] = score.fingerprint
    return tuple(points)


def trend_rows(points: Iterable[TrendPoint]) -> list[dict[str, Any]]:
    """The trend as a table of plain values, one row a record and score."""
    return [dataclasses.asdict(point) for point in points]


def _read(path: Path) -> Record:
    try:
        document = parse_json(read_bounded(path))
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"it is damaged, not JSON: {error}") from error
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        raise InputError(f"it is no record, expected the schema {SCHEMA!r}")
    content = {key: document.get(key) for key in ("recorded", "result", "verdict")}
    try:
        intact = fingerprint(content) == document.get("sha256")
    except (ValueError, RecursionError):
        intact = False
    if not intact or not isinstance(content["recorded"], str):
        raise InputError("it is damaged: its content is not what its sha256 says")
    verdict = None if content["verdict"] is None else Verdict.from_dict(content["verdict"])
    return Record(path.stem, content["recorded"], Result.from_json(json.dumps(content["result"])), verdict)
