"""`gandiag diagnose`: a run's log in, what was wrong with it out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gandiag.cli.options import debug_option

if TYPE_CHECKING:
    from gandiag.core.alert import Severity

_PATH = click.Path(path_type=Path)


@click.command("diagnose")
@click.argument("run", type=_PATH)
@click.option("--html", type=_PATH, metavar="FILE", help="Write a report with charts.")
@click.option("--json", "json_path", metavar="FILE", help="Write the diagnosis there; - for stdout, and nothing else.")
@click.option(
    "--fail-on",
    type=click.Choice(["info", "warning", "critical"]),
    help="Exit with 1 where an alert is as bad as that, or worse.",
)
@click.option("--thresholds", type=_PATH, metavar="FILE.toml", help="Limits in place of the run's or the rules' own.")
@click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="NAME=SIGNAL",
    help="What a name of another tool's log means; repeated. NAME= leaves it out.",
)
@debug_option
def diagnose_command(
    run: Path,
    html: Path | None,
    json_path: str | None,
    fail_on: Severity | None,
    thresholds: Path | None,
    pairs: tuple[str, ...],
) -> int:
    """Say what was wrong with RUN: a run folder, its run.jsonl, a TensorBoard folder or a table (.csv).

    \b
    gandiag diagnose runs/x
    gandiag diagnose runs/x --html report.html --fail-on warning
    gandiag diagnose lightning_logs/version_0/metrics.csv --map errD=discriminator_loss

    Exit codes: 0 fine; 1 an alert at the --fail-on level; 2 bad usage or bad input.
    """  # noqa: D301 - click reads the \b
    from gandiag.cli.diagnosis_view import print_diagnosis
    from gandiag.cli.output import check_outputs, write_document
    from gandiag.core.alert import at_least
    from gandiag.monitor.diagnose import diagnose

    check_outputs(html, json_path)
    diagnosis = diagnose(run, thresholds, map=_mapping(pairs))
    if html is not None:
        from gandiag.reports.run import write_run_report

        write_run_report(diagnosis, html)
        click.echo(f"wrote {click.format_filename(html)}", err=True)
    if not write_document(diagnosis.to_json(), json_path):
        print_diagnosis(diagnosis)
    worst = diagnosis.worst
    return int(fail_on is not None and worst is not None and at_least(worst, fail_on))


def _mapping(pairs: tuple[str, ...]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for pair in pairs:
        name, equals, signal = pair.rpartition("=")
        if not equals or not name:
            raise click.BadParameter(
                f"{pair!r} is not NAME=SIGNAL, such as errD=discriminator_loss", param_hint="--map"
            )
        if name in mapping:
            raise click.BadParameter(f"{name!r} is mapped twice", param_hint="--map")
        mapping[name] = signal
    return mapping
