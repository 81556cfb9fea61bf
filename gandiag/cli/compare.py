"""`gandiag compare`: several models in one table, with the differences that are beyond doubt."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gandiag.cli.options import COUNT, Scoring, debug_option, scoring_options
from gandiag.cli.unused import refuse_given, scoring_names
from gandiag.core.errors import InputError, UsageError, printable, shown

if TYPE_CHECKING:
    from gandiag.comparison.given import Given
    from gandiag.comparison.table import Comparison

SCORING = {*scoring_names(), "against", "samples"}
PICTURED = {"against", "inputs", "seed", "precision"}
OF_PICTURES = PICTURED | {name for name in SCORING if name.startswith("generator_")}


@click.command("compare")
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@click.option(
    "-m",
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAMES",
    help="As for score. Of saved Results: which scores to compare. Default: all that there are.",
)
@click.option("--baseline", metavar="SOURCE", help="Hold the others against this one: one of SOURCES, or one more.")
@click.option(
    "--history", type=click.Path(path_type=Path), metavar="HISTORY", help="All releases recorded there, in order."
)
@click.option("--best-by", metavar="SCORE", help="Name the best source by this score. Default for sweeps: fid.")
@click.option("--against", metavar="REF", help="Reference: a dataset's name, a folder, an array or statistics file.")
@click.option("-n", "--samples", type=COUNT, help="Samples of each. Default: the reference's protocol.")
@scoring_options
@click.option("--csv", "csv_path", metavar="FILE", help="Write a tidy CSV there: one row a source and score.")
@click.option("--html", "html_path", metavar="FILE", help="Write a report there: one page that needs no network.")
@click.option(
    "--pictures/--no-pictures",
    default=None,
    help="Samples in the report. Default: unless all sources are saved Results.",
)
@click.option("--markdown", "markdown_path", metavar="FILE", help="Write the table there, for a pull request.")
@click.option("--json", "json_path", metavar="FILE", help="Write all of it there; - for stdout, and nothing else.")
@debug_option
def compare_command(
    sources: tuple[str, ...],
    metrics: tuple[str, ...],
    baseline: str | None,
    history: Path | None,
    best_by: str | None,
    against: str | None,
    samples: int | None,
    csv_path: str | None,
    html_path: str | None,
    pictures: bool | None,
    markdown_path: str | None,
    json_path: str | None,
    scoring: Scoring,
) -> int:
    """Compare SOURCES: what score takes, saved Results (.json), and folders or globs of a run's checkpoints.

    All get the same noise and labels, so that differences are known better than the numbers themselves. A source that
    fails is named, and the command ends with the code 2 when the others are done.

    \b
    gandiag compare a.pt b.pt c.pt --against stacked-mnist --html report.html
    gandiag compare results/*.json --csv table.csv --markdown table.md
    gandiag compare new.pt --baseline old.pt --metric fid,pr
    gandiag compare "runs/first/*.pt" --best-by fid
    gandiag compare x2.pt x4.pt --inputs low/ --targets high/ --metric psnr,ssim
    gandiag compare --history releases new.json --html trend.html
    """  # noqa: D301 - click reads the \b
    from gandiag.cli.comparison_output import print_comparison, write_comparison
    from gandiag.cli.output import check_outputs, progress_bar
    from gandiag.comparison.compare import compare
    from gandiag.comparison.given import expand
    from gandiag.comparison.pictures import pictures_of

    check_outputs(csv_path, html_path, markdown_path, json_path)
    if not sources and history is None:
        raise UsageError("there is nothing to compare; name sources, or a --history")
    if pictures and html_path is None:
        raise UsageError("--pictures are a part of the report; add --html FILE, or leave that out")
    given: list[Given] = [*(_releases(history) if history is not None else []), *(expand(sources) if sources else [])]

    saved = all(each.result is not None for each in given)
    wanted = not saved if pictures is None else pictures
    if saved:
        unused = SCORING - (OF_PICTURES if wanted else set())
        refuse_given(unused, "saved Results have none; leave that out, or name their sources")

    def run(own_device: str) -> Comparison:
        with progress_bar() as progress:
            return compare(
                given,
                list(metrics) or None,
                baseline=baseline,
                best_by=best_by,
                against=against,
                held_out=scoring.held_out,
                inputs=scoring.inputs,
                targets=scoring.targets,
                cycle=scoring.cycle,
                samples=samples,
                seed=scoring.seed,
                like=scoring.like,
                extractor=scoring.extractor,
                weights=scoring.weights,
                preprocessing=scoring.preprocessing,
                compiled=scoring.compiled,
                device=own_device,
                batch_size=scoring.batch_size,
                precision=scoring.precision,
                data_root=scoring.data_root,
                download=scoring.download,
                cache=scoring.kept,
                progress=progress,
                generator=scoring.generator,
            )

    first = True
    if saved:
        comparison = run(scoring.device)
    else:
        from gandiag.evaluation.environment import processes

        with processes(scoring.device) as (own_device, first):
            comparison = run(own_device)
    if first:
        print_comparison(comparison, json_path)
        write_comparison(
            comparison,
            csv_path,
            html_path,
            markdown_path,
            json_path,
            partial(
                pictures_of,
                comparison,
                against=against,
                inputs=scoring.inputs,
                seed=scoring.seed,
                device=scoring.device,
                precision=scoring.precision,
                data_root=scoring.data_root,
                download=scoring.download,
                generator=scoring.generator,
            )
            if wanted
            else None,
        )
    return 2 if comparison.failures else 0


def _releases(history: Path) -> list[Given]:
    """The Results of a history, numbered from the oldest on; a damaged record is named and left out."""
    from gandiag.comparison.given import Given
    from gandiag.gates.history import read_history

    records = read_history(history, lambda text: click.echo(f"warning: {printable(text)}", err=True))
    if not records:
        raise InputError(f"the history {shown(history)} holds no record that can be read")
    return [
        Given(
            replace(record.result, source={**record.result.source, "name": record.name, "step": number}),
            run=str(history),
            unit="release",
        )
        for number, record in enumerate(records, start=1)
    ]
