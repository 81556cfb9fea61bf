"""`gandiag study`: people say what looks real, and their answers become scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gandiag.cli.options import (
    data_options,
    debug_option,
    device_option,
    generator_options,
    inputs_option,
    seed_option,
)
from gandiag.core.errors import printable

if TYPE_CHECKING:
    from rich.table import Table

    from gandiag.core.generator_options import GeneratorOptions
    from gandiag.study.questions import Question
    from gandiag.study.read import Reading


@click.group("study")
@debug_option
def study_command() -> None:
    """Ask people what looks real, and read their answers."""


@study_command.command("make")
@click.argument("sources", nargs=-1, required=True, metavar="A [B]")
@click.option("--against", metavar="REF", help="Real images. Default: the dataset that a checkpoint names.")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The HTML page.")
@click.option("--question", type=click.Choice(["real-or-fake", "a-or-b"]), help="Default: real-or-fake.")
@click.option("--trials", type=click.IntRange(min=2), default=120, show_default=True, help="Questions a rater.")
@click.option("--catch", type=click.IntRange(min=0), default=12, show_default=True, help="Trials that test attention.")
@inputs_option
@seed_option
@generator_options
@device_option
@data_options
@debug_option
def make_command(
    sources: tuple[str, ...],
    against: str | None,
    out: Path,
    question: Question | None,
    trials: int,
    catch: int,
    inputs: str | None,
    seed: int,
    device: str,
    data_root: Path | None,
    download: bool,
    generator: GeneratorOptions,
) -> None:
    """Write a page that asks whether images of A, or of A and B, are real, or which of the two looks more real.

    \b
    gandiag study make ckpt.pt --out study.html
    gandiag study make old.pt new.pt --question a-or-b --out study.html
    """  # noqa: D301 - click reads the \b
    from gandiag.cli.output import check_writable
    from gandiag.study.make import make_study

    check_writable(out)
    key = make_study(
        sources,
        out,
        against=against,
        question=question,
        trials=trials,
        catch=catch,
        inputs=inputs,
        seed=seed,
        device=device,
        data_root=data_root,
        download=download,
        generator=generator,
    )
    click.echo(f"wrote {printable(str(out))}: {len(key.trials)} trials; open it in a browser", err=True)


@study_command.command("read")
@click.argument("answers", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--keep-inattentive", is_flag=True, help="Count raters who failed the catch trials too.")
@click.option("--results", type=click.Path(path_type=Path), metavar="DIR", help="Write one Result a source there.")
@click.option("--json", "json_path", metavar="FILE", help="Write it all as JSON there; - for stdout, and nothing else.")
@debug_option
def read_command(
    answers: tuple[Path, ...], keep_inattentive: bool, results: Path | None, json_path: str | None
) -> None:
    """Make scores of the ANSWERS files that raters saved; `compare` and `gate` take what --results writes."""
    from gandiag.cli.output import check_writable, data_console, write_document
    from gandiag.study.document import reading_json, result_name
    from gandiag.study.read import read_study

    if json_path not in (None, "-"):
        check_writable(Path(str(json_path)))
    reading = read_study(answers, keep_inattentive=keep_inattentive)
    if not write_document(reading_json(reading), json_path):
        console = data_console()
        console.print(_scores(reading))
        console.print(_raters(reading))
    if results is not None:
        for place, result in enumerate(reading.results):
            path = results / result_name(reading, place)
            result.save(path)
            click.echo(f"wrote {printable(str(path))}", err=True)
    for warning in reading.results[0].warnings:
        click.echo(f"warning: {printable(warning)}", err=True)


def _scores(reading: Reading) -> Table:
    from rich.table import Table
    from rich.text import Text

    from gandiag.cli.output import interval_text, value_text

    table = Table()
    for header in ("source", "score", "value", "95% interval", "better", "answers", "p-value"):
        table.add_column(header, no_wrap=header != "source")
    for result in reading.results:
        for name, score in result.scores.items():
            p_value = score.details.get("test", {}).get("p_value")
            cells: Sequence[str] = (
                printable(str(result.source["name"])),
                name,
                value_text(score),
                interval_text(score),
                score.better or "",
                f"{score.n_fake:,}",
                "" if p_value is None else f"{p_value:.2g}",
            )
            table.add_row(*map(Text, cells))
    return table


def _raters(reading: Reading) -> Table:
    from rich.table import Table
    from rich.text import Text

    agreement = "" if reading.kappa is None else f"; agreement beyond chance (Fleiss' kappa) {reading.kappa:.2f}"
    raters = "1 rater" if len(reading.raters) == 1 else f"{len(reading.raters)} raters"
    table = Table(title=f"{raters}{agreement}", title_justify="left")
    for header in ("rater", "answers", "catch trials", "median time", "counted", "doubts"):
        table.add_column(header)
    for rater in reading.raters:
        cells = (
            printable(rater.name),
            str(rater.answers),
            "-" if rater.catch is None else f"{rater.catch:.0%}",
            f"{rater.median_milliseconds / 1000:.1f} s",
            "yes" if rater.counted else "no",
            printable(", ".join(rater.doubts)),
        )
        table.add_row(*map(Text, cells))
    return table
