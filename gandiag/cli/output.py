"""What commands print: data to stdout, talk to stderr."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from gandiag.core.errors import InputError, UsageError, printable, shown
from gandiag.core.files import atomic_write
from gandiag.core.protocols import Progress as Step
from gandiag.core.protocols import ProgressCallback
from gandiag.core.result import Result
from gandiag.core.score import Score, decimals

if TYPE_CHECKING:
    from gandiag.evaluation.planning import Plan

WIDEST = 10_000  # columns, to see how wide a table would like to be
LEAST = 6  # columns of words that are folded
UNTERMINATED = 120  # width of a table where stdout is no terminal
COLUMNS = re.compile("[1-9][0-9]{0,4}")  # what $COLUMNS may be; a shell takes no notice of anything else either


def data_console() -> Console:
    """A console on stdout, with a fixed width where that is no terminal."""
    console = Console()
    if console.is_terminal:
        return console
    said = os.environ.get("COLUMNS", "")
    return Console(width=int(said) if COLUMNS.fullmatch(said) else UNTERMINATED)


def write_document(text: str, path: str | None) -> bool:
    """Put a document where `--json` and its like want it: a file, stdout for `-`, nowhere for None.

    Returns:
        Whether it went to stdout, where nothing else may go then.
    """
    if path == "-":
        click.echo(text, nl=False)
        return True
    if path is not None:
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        click.echo(f"wrote {printable(path)}", err=True)
    return False


def print_result(result: Result, json_path: str | None) -> None:
    """The table, or the JSON alone for `-`; the warnings to stderr."""
    if not write_document(result.to_json(), json_path):
        console = data_console()
        console.print(headline(result), style="bold", markup=False, highlight=False, soft_wrap=True)
        console.print(_fitting(console, result_table(result), result_table(result, tight=True)))
    for warning in result.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)


def print_plan(plan: Plan, json_path: str | None) -> None:
    """The table of a plan, or its JSON alone for `-`."""
    if write_document(json.dumps(dataclasses.asdict(plan), indent=2, allow_nan=False) + "\n", json_path):
        return
    console = data_console()
    console.print(_fitting(console, plan_table(plan), plan_table(plan, tight=True)))


def plan_table(plan: Plan, *, tight: bool = False) -> Table:
    """Metric, value, half width now and wanted, and what that takes, of every score."""
    rows = [
        (
            score.name,
            "-" if score.value is None else f"{score.value:.4g}",
            "-" if score.half_width is None else f"{score.half_width:.2g}",
            "-" if score.wanted is None else f"{score.wanted:.2g}",
            f"about {score.samples:,}" if score.samples is not None else score.reason or "",
            "" if score.seconds is None else duration(score.seconds),
        )
        for score in plan.scores
    ]
    headers = ("metric", "value", "half width", "wanted", "samples needed", "time here")
    table = _table(headers, rows, left=("metric",), folded=("metric", "samples needed"), tight=tight)
    table.title = f"from pilots of {' and '.join(f'{count:,}' for count in plan.pilots)} samples"
    return table


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would choose."""
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 1):.0f} s"


def headline(result: Result) -> str:
    """What was scored against what."""
    title = printable(str(result.source["name"]))
    if result.source["weights"] == "generator_ema" or (result.source.get("generator") or {}).get("averaged"):
        title += " (averaged weights)"
    reference = result.reference.get("name")
    return title if reference is None else f"{title} against {printable(str(reference))}"


def result_table(result: Result, *, tight: bool = False) -> Table:
    """Metric, value, 95% interval, better-is, extractor and N of every score."""
    rows = [
        (
            name,
            value_text(score),
            interval_text(score),
            score.better or "",
            score.extractor or "",
            f"{score.n_fake:,}",
            "" if score.n_real is None else f"{score.n_real:,}",
        )
        for name, score in result.scores.items()
    ]
    headers = ("metric", "value", "95% interval", "better", "extractor", "N fake", "N real")
    words = ("metric", "better", "extractor")
    table = _table(headers, rows, left=(*words, "95% interval"), folded=words, tight=tight)
    for row, score in zip(table.rows, result.scores.values(), strict=True):
        row.style = "yellow" if score.status != "ok" else None
    return table


def _table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Collection[str],
    folded: Collection[str],
    tight: bool,
) -> Table:
    """A table whose words are folded where there is no room, so that its numbers are whole."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False) if tight else Table()
    for place, header in enumerate(headers):
        justify: Literal["left", "right"] = "left" if header in left else "right"
        if header in folded:
            table.add_column(header, justify=justify, overflow="fold", min_width=LEAST)
        else:
            least = max(len(header), *(len(row[place]) for row in rows), 0)  # else what is too wide is cut off
            table.add_column(header, justify=justify, no_wrap=True, min_width=least)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _fitting(console: Console, wide: Table, tight: Table) -> Table:
    """The first, where it fits."""
    return wide if fits(wide, console) else tight


def fits(table: Table, console: Console) -> bool:
    """Whether a table is no wider than the console."""
    return table.__rich_measure__(console, console.options.update(max_width=WIDEST)).maximum <= console.width


def value_text(score: Score) -> str:
    """The value to the digits that its error bar allows, marked where it is undefined or unreliable."""
    if score.value is None:
        return "undefined"
    text = f"{score.value:.{decimals(score.value or 0.0, score.stderr, score.ci95)}f}"
    return f"{text} ?" if score.status == "unreliable" else text


def interval_text(score: Score) -> str:
    """The interval, or why there is none."""
    if score.ci95 is None:
        return "" if score.value is None else "-"
    places = decimals(score.value or 0.0, score.stderr, score.ci95)
    return f"{score.ci95[0]:.{places}f} to {score.ci95[1]:.{places}f}"


def check_outputs(*paths: str | Path | None) -> None:
    """See before the long work that every file can be written, and that no two are one.

    Raises:
        InputError: one cannot.
        UsageError: two options name one file.
    """
    named = [Path(path) for path in paths if path is not None and path != "-"]
    for path in named:
        check_writable(path)
    places = [path.resolve() for path in named]
    for path, place in zip(named, places, strict=True):
        if places.count(place) > 1:
            raise UsageError(f"two options write the file {shown(path)}; name two files")


def check_writable(path: Path) -> None:
    """Raise InputError before the long work where the result could not be written after it; leave no trace."""
    existed = path.exists()
    if existed and (path.is_dir() or not os.access(path, os.W_OK)):
        reason = "it is a folder" if path.is_dir() else "permission denied"
        raise InputError(f"cannot write {shown(path)}: {reason}; name another file")
    if existed:
        return
    target = Path(os.path.realpath(path))  # a link that leads nowhere yet stays one
    missing = [folder for folder in target.parents if not folder.exists()]
    try:
        with atomic_write(path) as temporary:
            temporary.touch()
        target.unlink()
    finally:
        for folder in missing:
            if folder.is_dir():
                folder.rmdir()


@contextmanager
def progress_bar() -> Iterator[ProgressCallback]:
    """A bar on stderr for each part of the work; silent where stderr is no terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def advance(progress: Step) -> None:
            if progress.task not in tasks:
                tasks[progress.task] = bar.add_task(progress.task, total=progress.total, rate="")
            task = bar.tasks[tasks[progress.task]]
            rate = f"{task.speed:,.0f}/s" if task.speed else ""
            bar.update(task.id, completed=progress.done, rate=progress.note or rate)

        yield advance
