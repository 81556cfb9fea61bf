"""The Comparison: every score of every source, with its rank and its differences, and what it is written as."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gandiag.core.errors import GandiagError, InputError, UnknownNameError, shown
from gandiag.core.files import atomic_write, read_bounded
from gandiag.core.result import Result
from gandiag.core.score import Better
from gandiag.core.strict_json import parse_json

SCHEMA = "gandiag.comparison/1"

RowStatus = Literal["ok", "unreliable", "undefined", "not comparable", "missing"]
Verdict = Literal["better", "worse", "higher", "lower", "cannot be told apart", "no error bar"]
Unit = Literal["step", "release"]  # what a sweep goes by
APART = frozenset({"better", "worse", "higher", "lower"})  # verdicts of sources that differ


@dataclass(frozen=True)
class Versus:
    """The difference of one source's score from another's.

    Attributes:
        to: name of the other source.
        difference: this score less the other's.
        stderr: of the difference; None where a score has no error bar.
        ci95: 95% interval of the difference, for this one alone.
        p_value: two-sided, for no difference.
        p_adjusted: the same after Holm's correction.
        method: `paired`, `independent`, or `none: ...` with the reason.
        verdict: of this source, at 5% after correction; `higher` or `lower` where no direction is the better one.
    """

    to: str
    difference: float
    stderr: float | None
    ci95: tuple[float, float] | None
    p_value: float | None
    p_adjusted: float | None
    method: str
    verdict: Verdict


@dataclass(frozen=True)
class Row:
    """One score of one source.

    Attributes:
        source: name of the source.
        score: name of the score.
        status: that of the score; `not comparable` where its fingerprint is another than the others', `missing` where
            the source has no such score.
        value, stderr, ci95, better: of the score.
        reason: why the status is not `ok`.
        rank: 1 + the number of sources that are better beyond doubt; None where there is no order.
        best: whether no comparable source has a better value.
        to_best: difference to the source with the best value; None for that source itself.
        to_baseline: difference to the baseline; None for the baseline itself.
        differs: fields in which the fingerprint differs, as `field: this, not that`.
    """

    source: str
    score: str
    status: RowStatus
    value: float | None = None
    stderr: float | None = None
    ci95: tuple[float, float] | None = None
    better: Better | None = None
    reason: str | None = None
    rank: int | None = None
    best: bool = False
    to_best: Versus | None = None
    to_baseline: Versus | None = None
    differs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One source of the table.

    Attributes:
        name: unique in the table.
        result: its scores; its `source` says what it is.
        step: training step, where it is known.
        run: the folder or glob that it was found by.
        unit: what `step` counts.
    """

    name: str
    result: Result
    step: int | None = None
    run: str | None = None
    unit: Unit = "step"


@dataclass(frozen=True)
class Fall:
    """Where a score of coverage fell below the best that the run had reached before.

    Attributes:
        score: its name.
        source, step: where.
        best_source, best_step: the best before.
        versus: the difference, tested with all pairs of the table.
    """

    score: str
    source: str
    step: int
    best_source: str
    best_step: int
    versus: Versus


@dataclass(frozen=True)
class Sweep:
    """The checkpoints of one run.

    Attributes:
        run: the folder or glob.
        sources: names of the checkpoints, by step.
        steps: their steps, ascending.
        best_by: the score by which one is the best.
        best: name of the best checkpoint; None where none has that score.
        tied: others that cannot be told apart from it.
        falls: the first fall of each score of coverage that fell.
        unit: what the steps count.
    """

    run: str
    sources: tuple[str, ...]
    steps: tuple[int, ...]
    best_by: str | None
    best: str | None
    tied: tuple[str, ...] = ()
    falls: tuple[Fall, ...] = ()
    unit: Unit = "step"


@dataclass(frozen=True)
class Failure:
    """A source that could not be scored, and why."""

    source: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """Scores of several sources side by side: the document `gandiag.comparison/1`.

    Attributes:
        created: when, in ISO 8601 with UTC offset.
        entries: the sources, with their Results.
        scores: names of the scores, in the order of the table.
        rows: every score of every source, score by score.
        baseline: name of the source that the others are held against, if any.
        best_by: the score by which `best` is chosen.
        best: name of the best source; None where there is none.
        tied: others that cannot be told apart from it.
        sweeps: the runs of which several checkpoints are in the table.
        failures: sources that could not be scored.
        warnings: what the reader should know.
    """

    created: str
    entries: tuple[Entry, ...]
    scores: tuple[str, ...]
    rows: tuple[Row, ...]
    baseline: str | None = None
    best_by: str | None = None
    best: str | None = None
    tied: tuple[str, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources."""
        return tuple(entry.name for entry in self.entries)

    def row(self, source: str, score: str) -> Row:
        """One score of one source.

        Raises:
            UnknownNameError: there is no such source or score.
        """
        for row in self.rows:
            if (row.source, row.score) == (source, score):
                return row
        known, name = (self.scores, score) if source in self.sources else (self.sources, source)
        raise UnknownNameError("score" if known is self.scores else "source", name, known)

    def rows_of(self, score: str) -> tuple[Row, ...]:
        """One score of every source, in the order of the sources.

        Raises:
            UnknownNameError: there is no such score.
        """
        if score not in self.scores:
            raise UnknownNameError("score", score, self.scores)
        return tuple(row for row in self.rows if row.score == score)

    def to_csv(self) -> str:
        """Tidy CSV: one row a source and score, and a header that does not change."""
        from gandiag.comparison.csv import csv_text

        return csv_text(self)

    def to_markdown(self) -> str:
        """A table for a pull request."""
        from gandiag.comparison.markdown import markdown_text

        return markdown_text(self)

    def to_json(self) -> str:
        """All of it as one strict JSON document, the Results included."""
        return json.dumps({"schema": SCHEMA, **dataclasses.asdict(self)}, allow_nan=False, ensure_ascii=True) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the JSON, whole or not at all.

        Raises:
            InputError: the file cannot be written.
        """
        with atomic_write(path) as temporary:
            temporary.write_text(self.to_json(), encoding="utf-8")

    @staticmethod
    def from_json(text: str) -> Comparison:
        """The Comparison that `to_json` wrote.

        Raises:
            InputError: the text is no such document.
        """
        try:
            document = parse_json(text)
            schema = document.pop("schema", None) if isinstance(document, dict) else None
            if schema != SCHEMA:
                raise ValueError(f"its schema is {shown(schema)}, not {SCHEMA!r}")
            return _comparison(document)
        except GandiagError as error:
            raise InputError(f"not a Comparison of gandiag: {error}") from error
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise InputError(f"not a Comparison of gandiag: {type(error).__name__}: {error}") from error

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Comparison:
        """Read a Comparison file.

        Raises:
            InputError: there is no such file, or it is no Comparison.
        """
        try:
            text = read_bounded(path).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the Comparison {shown(path)}: {error}") from error
        try:
            return Comparison.from_json(text)
        except InputError as error:
            raise InputError(f"{shown(path)} is {error}") from error


def _comparison(document: dict[str, Any]) -> Comparison:
    entries = tuple(_entry(values) for values in document.pop("entries"))
    rows = tuple(_row(values) for values in document.pop("rows"))
    sweeps = tuple(_sweep(values) for values in document.pop("sweeps", ()))
    failures = tuple(Failure(**values) for values in document.pop("failures", ()))
    lists: dict[str, Any] = {name: tuple(document.pop(name, ())) for name in ("scores", "tied", "warnings")}
    return Comparison(entries=entries, rows=rows, sweeps=sweeps, failures=failures, **lists, **document)


def _entry(values: dict[str, Any]) -> Entry:
    result = {"schema": "gandiag.result/1", **values.pop("result")}
    return Entry(result=Result.from_json(json.dumps(result)), **values)


def _row(values: dict[str, Any]) -> Row:
    versus: dict[str, Any] = {name: _versus(values.pop(name, None)) for name in ("to_best", "to_baseline")}
    interval = _interval(values.pop("ci95", None))
    return Row(ci95=interval, differs=tuple(values.pop("differs", ())), **versus, **values)


def _versus(values: Mapping[str, Any] | None) -> Versus | None:
    if values is None:
        return None
    return Versus(**{**values, "ci95": _interval(values["ci95"])})


def _sweep(values: dict[str, Any]) -> Sweep:
    falls = []
    for fall in values.pop("falls", ()):
        versus = _versus(fall.pop("versus"))
        if versus is None:
            raise ValueError("a fall without a difference")
        falls.append(Fall(versus=versus, **fall))
    lists: dict[str, Any] = {name: tuple(values.pop(name)) for name in ("sources", "steps", "tied")}
    return Sweep(falls=tuple(falls), **lists, **values)


def _interval(values: Sequence[float] | None) -> tuple[float, float] | None:
    return None if values is None else (float(values[0]), float(values[1]))
