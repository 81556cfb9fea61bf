"""`gandiag doctor`: what this machine can run, what is on it, and a self-test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gandiag.cli.options import data_root_option, debug_option
from gandiag.core.errors import printable

if TYPE_CHECKING:
    from rich.table import Table

    from gandiag.evaluation.finding import Finding

SCHEMA = "gandiag.doctor/1"
STYLES = {"ok": "green", "missing": "yellow", "failed": "bold red", "note": "cyan"}


@click.command("doctor")
@data_root_option
@click.option("--no-self-test", is_flag=True, help="Leave the self-test out, which takes up to a minute.")
@click.option("--json", "json_path", metavar="FILE", help="Write it as JSON there; - for stdout, and nothing else.")
@debug_option
def doctor_command(data_root: Path | None, no_self_test: bool, json_path: str | None) -> int:
    """Say what this machine can run, which weights and data are here, and test every metric.

    The self-test feeds identical, shifted and collapsed sets and copies of the training set to every metric, which
    must react as its theory says. Nothing is fetched.

    Exit codes: 0 nothing failed, though something may be missing; 1 something failed.
    """
    from gandiag.cli.output import check_writable, progress_bar, write_document
    from gandiag.evaluation.doctor import examine_data, examine_extras, examine_machine, examine_weights
    from gandiag.evaluation.self_test import self_test

    if json_path not in (None, "-"):
        check_writable(Path(str(json_path)))
    findings = [*examine_machine(), *examine_weights(), *examine_data(data_root), *examine_extras()]
    if not no_self_test:
        with progress_bar() as progress:
            findings += self_test(progress)
    if not write_document(_document(findings), json_path):
        _print(findings)
    failed = [finding.name for finding in findings if finding.state == "failed"]
    if failed:
        click.echo(f"failed: {printable(', '.join(failed))}", err=True)
    return 1 if failed else 0


def _document(findings: Sequence[Finding]) -> str:
    import dataclasses

    document = {
        "schema": SCHEMA,
        "ok": all(finding.state != "failed" for finding in findings),
        "findings": [dataclasses.asdict(finding) for finding in findings],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _print(findings: Sequence[Finding]) -> None:
    from gandiag.cli.output import data_console

    console = data_console()
    for topic in dict.fromkeys(finding.topic for finding in findings):
        about = [finding for finding in findings if finding.topic == topic]
        console.print(topic, style="bold", markup=False, highlight=False)
        console.print(_table(about))
        # Beside the table a long command would be broken, and could not be copied.
        for finding in about:
            if finding.remedy and finding.state != "ok":
                line = f"  {finding.name}: {finding.remedy}"
                console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def _table(findings: Sequence[Finding]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("name", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("found", overflow="fold")
    for finding in findings:
        state = Text(finding.state, style=STYLES[finding.state])
        # Text, since a name in brackets would be taken for a style.
        table.add_row(Text(printable(finding.name)), state, Text(printable(finding.text)))
    return table
