"""What `gandiag compare` prints and writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import click
from rich import box
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from gandiag.cli.output import data_console, fits
from gandiag.comparison.markdown import headlines
from gandiag.comparison.table import Comparison, Row, Versus
from gandiag.comparison.text import difference_text, p_text, short_names, value_text
from gandiag.core.errors import InputError, printable
from gandiag.core.files import atomic_write
from gandiag.core.gallery import Gallery

WITH_P = 90  # columns from which there is room for p-values
SHORT = {"cannot be told apart": "tied"}
STYLES = {"better": "green", "worse": "red", "higher": "yellow", "lower": "yellow"}


def print_comparison(comparison: Comparison, json_path: str | None) -> None:
    """The table with what stands first, or the JSON alone for `-`; the rest to stderr."""
    if json_path == "-":
        click.echo(comparison.to_json(), nl=False)
    else:
        console = data_console()
        names = short_names(comparison.sources)
        for sentence in headlines(comparison, names):
            console.print(printable(sentence), style="bold", markup=False, highlight=False, soft_wrap=True)
        table = comparison_table(comparison, names, with_p=True)
        if not fits(table, console):
            numbers = {name: str(number) for number, name in enumerate(comparison.sources, 1)}
            for name, number in numbers.items():
                console.print(f"{number:>3}  {printable(names[name])}", markup=False, highlight=False, soft_wrap=True)
            table = comparison_table(comparison, numbers, with_p=console.width >= WITH_P)
        console.print(table)
    for row_reason in _not_comparable(comparison):
        click.echo(f"not comparable: {printable(row_reason)}", err=True)
    for warning in comparison.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)
    for failure in comparison.failures:
        click.echo(f"failed: {printable(failure.source)}: {printable(failure.reason)}", err=True)


def write_comparison(
    comparison: Comparison,
    csv_path: str | None,
    html_path: str | None,
    markdown_path: str | None,
    json_path: str | None,
    pictures: Callable[[], Gallery] | None = None,
) -> None:
    """Each file that was asked for, whole or not at all.

    Raises:
        InputError: one cannot be written; the others are.
    """
    problems: list[str] = []
    texts = [(csv_path, comparison.to_csv), (markdown_path, comparison.to_markdown)]
    texts += [(json_path if json_path != "-" else None, comparison.to_json)]
    for path, text in texts:
        if path is not None:
            try:
                with atomic_write(path) as temporary:
                    temporary.write_text(text(), encoding="utf-8")
                click.echo(f"wrote {path}", err=True)
            except InputError as error:
                problems.append(str(error))
    if html_path is not None:
        from gandiag.reports.comparison import write_comparison_report

        write_comparison_report(comparison, html_path, None if pictures is None else pictures())
        click.echo(f"wrote {html_path}", err=True)
    if problems:
        raise InputError("; ".join(problems))


def comparison_table(comparison: Comparison, names: Mapping[str, str], *, with_p: bool) -> Table:
    """Score by score and source by source: value, rank, and the difference to the baseline, or else to the best."""
    other = "baseline" if comparison.baseline is not None else "best"
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for header, justify in (
        ("score", "left"),
        ("#" if all(name.isdigit() for name in names.values()) else "source", "left"),
        ("value", "right"),
        ("rank", "right"),
        (f"less the {other}", "right"),
        *((("p", "right"),) if with_p else ()),
        ("", "left"),
    ):
        table.add_column(header, justify=cast(JustifyMethod, justify), no_wrap=True)
    for score in comparison.scores:
        rows = comparison.rows_of(score)
        for number, row in enumerate(rows):
            versus = row.to_best if comparison.baseline is None else row.to_baseline
            cells = [
                Text(printable(score) if number == 0 else ""),
                Text(printable(names[row.source])),
                Text(value_text(row)),
                Text("" if row.rank is None else str(row.rank)),
                Text("" if versus is None else difference_text(versus)),
                *([Text("" if versus is None else p_text(versus.p_adjusted))] if with_p else []),
                _verdict(comparison, row, versus),
            ]
            style = "yellow" if row.status != "ok" else None
            table.add_row(*cells, style=style, end_section=number + 1 == len(rows))
    return table


def _verdict(comparison: Comparison, row: Row, versus: Versus | None) -> Text:
    if versus is not None:
        text = SHORT.get(versus.verdict, versus.verdict) + (" (unpaired)" if versus.method == "independent" else "")
        return Text(text, style=STYLES.get(versus.verdict, ""))
    if row.status in ("missing", "not comparable", "undefined"):
        return Text("" if row.status == "undefined" else row.status)
    if comparison.baseline == row.source:
        return Text("baseline", style="bold")
    return Text("best" if row.best else "", style="bold")


def _not_comparable(comparison: Comparison) -> list[str]:
    """Each source and reason once, with the scores that it is about."""
    scores: dict[tuple[str, str], list[str]] = {}
    for row in comparison.rows:
        if row.status == "not comparable":
            scores.setdefault((row.source, row.reason or ""), []).append(row.score)
    return [f"{source}: {', '.join(which)}: {reason}" for (source, reason), which in scores.items()]
