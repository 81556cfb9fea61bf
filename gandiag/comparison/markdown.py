"""A Comparison as Markdown for a pull request."""

from __future__ import annotations

import re

from gandiag.comparison.table import Comparison, Row
from gandiag.comparison.text import difference_text, p_text, short_names, value_text
from gandiag.core.errors import printable

ARROWS = {"lower": " ↓", "higher": " ↑"}
LEGEND = (
    "Values with half the width of their 95% intervals. The best value is bold, and so is what cannot be told apart "
    "from it."
)


def markdown_text(comparison: Comparison) -> str:
    """A table of all scores, one of the differences to the baseline or else to the best, and what else to know."""
    names = {name: escaped(short) for name, short in short_names(comparison.sources).items()}
    better = {row.score: row.better for row in comparison.rows if row.better is not None}
    lines = ["## Comparison", *([""] if comparison.best or comparison.sweeps else [])]
    lines += [f"- {sentence}" for sentence in headlines(comparison, names)]
    lines += ["", "| score | " + " | ".join(names[name] for name in comparison.sources) + " |"]
    lines.append("| --- |" + " ---: |" * len(comparison.sources))
    for score in comparison.scores:
        cells = " | ".join(_cell(row) for row in comparison.rows_of(score))
        lines.append(f"| {escaped(score)}{ARROWS.get(better.get(score, ''), '')} | {cells} |")
    lines += ["", LEGEND]
    lines += _differences(comparison, names)
    lines += [f"- not comparable: {each}" for each in _not_comparable(comparison, names)]
    for failure in comparison.failures:
        lines.append(f"- **failed**: {escaped(failure.source)}: {escaped(failure.reason)}")
    lines += [f"- warning: {escaped(warning)}" for warning in comparison.warnings]
    return "\n".join(lines) + "\n"


def headlines(comparison: Comparison, names: dict[str, str]) -> list[str]:
    """What stands first: the best source, the best checkpoint of each run, and what fell."""
    found = []
    if comparison.best is not None:
        found.append(f"best by {comparison.best_by}: {names[comparison.best]}{_tied(comparison.tied, names)}")
    for sweep in comparison.sweeps:
        if sweep.best is not None:
            step = sweep.steps[sweep.sources.index(sweep.best)]
            kind = "checkpoint" if sweep.unit == "step" else "release"
            what = f"best {kind} by {sweep.best_by}: {sweep.unit} {step:,} ({names[sweep.best]})"
            found.append(what + _tied(sweep.tied, names))
        for fall in sweep.falls:
            found.append(
                f"{fall.score} fell at {sweep.unit} {fall.step:,}: {difference_text(fall.versus)} "
                f"from {sweep.unit} {fall.best_step:,}"
            )
    return found


def escaped(text: str) -> str:
    """Text that Markdown and HTML take as it stands."""
    plain = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~@:$-])", r"\\\1", plain)


def _tied(tied: tuple[str, ...], names: dict[str, str]) -> str:
    return f"; cannot be told apart from it: {', '.join(names[name] for name in tied)}" if tied else ""


def _cell(row: Row) -> str:
    if row.status in ("missing", "not comparable"):
        return row.status
    return f"**{value_text(row)}**" if row.rank == 1 else value_text(row)


def _differences(comparison: Comparison, names: dict[str, str]) -> list[str]:
    held = comparison.baseline is not None
    rows = [
        (row, versus) for row in comparison.rows if (versus := row.to_baseline if held else row.to_best) is not None
    ]
    if not rows:
        return [""]
    lines = [
        "",
        "| score | source | less | difference | p, corrected | verdict |",
        "| --- | --- | --- | ---: | ---: | --- |",
    ]
    for row, versus in rows:
        cells = (
            escaped(row.score),
            names[row.source],
            names[versus.to],
            difference_text(versus),
            p_text(versus.p_adjusted).replace("<", "&lt;"),
            f"{versus.verdict}" + ("" if versus.method == "paired" else f" ({versus.method})"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _not_comparable(comparison: Comparison, names: dict[str, str]) -> list[str]:
    """Each source and reason once, with the scores that it is about."""
    scores: dict[tuple[str, str], list[str]] = {}
    for row in comparison.rows:
        if row.status == "not comparable":
            scores.setdefault((row.source, row.reason or ""), []).append(row.score)
    return [
        f"{names[source]}, {escaped(', '.join(which))}: {escaped(reason)}" for (source, reason), which in scores.items()
    ]
