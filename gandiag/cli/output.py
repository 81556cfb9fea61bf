"""What commands print: data to stdout, talk to stderr."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from gandiag.core.errors import InputError, printable, shown
from gandiag.core.files import atomic_write
from gandiag.core.protocols import Progress as Step
from gandiag.core.protocols import ProgressCallback
from gandiag.core.result import Result
from gandiag.core.score import Score, decimals

if TYPE_CHECKING:
    from gandiag.evaluation.planning import Plan

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
        console.print(result_table(result))
    for warning in result.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)


def print_plan(plan: Plan, json_path: str | None) -> None:
    """The table of a plan, or its JSON alone for `-`."""
    if write_document(json.dumps(dataclasses.asdict(plan), indent=2, allow_nan=False) + "\n", json_path):
        return
    table = Table(title=f"from pilots of {' and '.join(f'{count:,}' for count in plan.pilots)} samples")
    for header in ("metric", "value", "half width", "wanted", "samples needed", "time here"):
        table.add_column(header, justify="left" if header == "metric" else "right", no_wrap=True)
    for score in plan.scores:
        needed = f"about {score.samples:,}" if score.samples is not None else score.reason or ""
        table.add_row(
            score.name,
            "-" if score.value is None else f"{score.value:.4g}",
            "-" if score.half_width is None else f"{score.half_width:.2g}",
            "-" if score.wanted is None else f"{score.wanted:.2g}",
            needed,
            "" if score.seconds is None else duration(score.seconds),
        )
    data_console().print(table)


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


def result_table(result: Result) -> Table:
    """Metric, value, 95% interval, better-is, extractor and N of every score."""
    table = Table()
    for header in ("metric", "value", "95% interval", "better", "extractor", "N fake", "N real"):
        table.add_column(header, justify="right" if header in ("value", "N fake", "N real") else "left", no_wrap=True)
    for name, score in result.scores.items():
        table.add_row(
            name,
            value_text(score),
            interval_text(score),
            score.better or "",
            score.extractor or "",
            f"{score.n_fake:,}",
            "" if score.n_real is None else f"{score.n_real:,}",
            style="yellow" if score.status != "ok" else None,
        )
    return table


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


def check_writable(path: Path) -> None:
    """Raise InputError before the long work where the result could not be written after it; leave no trace."""
    existed = path.exists()
    if existed and (path.is_dir() or not os.access(path, os.W_OK)):
        reason = "it is a folder" if path.is_dir() else "permission denied"
        raise InputError(f"cannot write {shown(path)}: {reason}; name another file")
    if existed:
        return
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        with atomic_write(path) as temporary:
            temporary.touch()
        path.unlink()
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
