"""A Comparison as tidy CSV: one row a source and score, for pandas and for spreadsheets."""

from __future__ import annotations

import csv
import io
from typing import Any

from gandiag.comparison.table import Comparison, Versus
from gandiag.core.errors import printable

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # beginnings that a spreadsheet takes for a formula
VERSUS = ("difference", "stderr", "ci95_low", "ci95_high", "p_value", "p_adjusted", "method", "verdict")
HEADER = (
    "source",
    "run",
    "step",
    "score",
    "value",
    "status",
    "reason",
    "stderr",
    "ci95_low",
    "ci95_high",
    "error_method",
    "better",
    "rank",
    "extractor",
    "n_fake",
    "n_real",
    "reference",
    "seed",
    "fingerprint",
    "best",
    *(f"best_{name}" for name in VERSUS),
    "baseline",
    *(f"baseline_{name}" for name in VERSUS),
    "path",
    "sha256",
    "created",
)


def csv_text(comparison: Comparison) -> str:
    """The CSV; numbers in full, empty where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    entries = {entry.name: entry for entry in comparison.entries}
    best = {row.score: row.source for row in comparison.rows if row.best}
    for row in comparison.rows:
        entry = entries[row.source]
        result = entry.result
        score = result.scores.get(row.score)
        low, high = row.ci95 or (None, None)
        cells = (
            row.source,
            entry.run,
            entry.step,
            row.score,
            row.value,
            row.status,
            row.reason,
            row.stderr,
            low,
            high,
            score.error_method if score else None,
            row.better,
            row.rank,
            score.extractor if score else None,
            score.n_fake if score else None,
            score.n_real if score else None,
            result.reference.get("name"),
            result.protocol.get("seed"),
            score.fingerprint if score else None,
            best.get(row.score),
            *_versus(row.to_best),
            comparison.baseline,
            *_versus(row.to_baseline),
            result.source.get("path"),
            result.source.get("sha256"),
            result.created,
        )
        writer.writerow([cell(value) for value in cells])
    return text.getvalue()


def cell(value: object) -> Any:
    """A value for a cell: text on one line, and no formula whatever a stranger called his file."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = printable(str(value))
    return f"'{text}" if text.startswith(FORMULA) else text


def _versus(versus: Versus | None) -> tuple[Any, ...]:
    if versus is None:
        return (None,) * len(VERSUS)
    low, high = versus.ci95 or (None, None)
    return (
        versus.difference,
        versus.stderr,
        low,
        high,
        versus.p_value,
        versus.p_adjusted,
        versus.method,
        versus.verdict,
    )
