"""How a diagnosis looks in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from gandiag.cli.output import data_console
from gandiag.core.alert import Alert
from gandiag.core.errors import printable
from gandiag.monitor.diagnose import Diagnosis

COLOURS = {"info": "cyan", "warning": "yellow", "critical": "bold red"}


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """The verdict, the alerts with evidence and advice, what was measured, and what was not."""
    console = data_console()
    style = COLOURS[diagnosis.worst] if diagnosis.worst else "bold"
    console.print(_text(f"{diagnosis.name}: {diagnosis.verdict}", style), soft_wrap=True)
    if diagnosis.alerts:
        console.print(alert_table(diagnosis.alerts))
    _print_measured(console, diagnosis)
    if diagnosis.inactive:
        console.print(_pairs("rules that saw nothing", "rule", "what it lacks", diagnosis.inactive))
    if diagnosis.unmapped:
        console.print(_pairs("names that were not used", "name", "why", diagnosis.unmapped))
    notes = [*diagnosis.notes, *(f"step {step:,}: {text}" for step, text in diagnosis.log.notes)]
    for note in notes:
        console.print(_text(f"note: {note}"), soft_wrap=True)


def alert_table(alerts: Iterable[Alert]) -> Table:
    """Every alert with what was measured and what to do."""
    table = Table(show_lines=True)
    table.add_column("alert", no_wrap=True)
    table.add_column("step", justify="right", no_wrap=True)
    table.add_column("what was measured, and what to do", overflow="fold")
    for alert in alerts:
        name = Text.assemble((alert.severity, COLOURS[alert.severity]), "\n", printable(alert.kind))
        steps = f"{alert.step:,}" if alert.since_step == alert.step else f"{alert.step:,}\nsince {alert.since_step:,}"
        parts = [_text(alert.message)]
        if alert.evidence:
            values = "\n".join(f"{printable(key)} = {shown_value(value)}" for key, value in alert.evidence.items())
            parts.append(Text(values, "bold"))
        parts += [_text(f"{number}. {advice}", "dim") for number, advice in enumerate(alert.advice, 1)]
        table.add_row(name, steps, Group(*parts))
    return table


def shown_value(value: float) -> str:
    """A number to four digits."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e9 else f"{value:.4g}"


def _print_measured(console: Console, diagnosis: Diagnosis) -> None:
    measured = diagnosis.measured
    if not measured:
        return
    table = Table(title="measured", title_justify="left")
    table.add_column("signal", no_wrap=True)
    if diagnosis.mapping:
        table.add_column("from", overflow="fold")
    for header in ("records", "last step", "first", "last", "lowest", "highest"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, values in measured.items():
        source = [_text(diagnosis.mapping.get(name, ""))] if diagnosis.mapping else []
        numbers = (values.first, values.last, values.lowest, values.highest)
        counts = (f"{values.records:,}", f"{values.last_step:,}")
        table.add_row(_text(name), *source, *counts, *map(shown_value, numbers))
    console.print(table)


def _pairs(title: str, one: str, other: str, values: Mapping[str, str]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(one, overflow="fold")
    table.add_column(other, overflow="fold")
    for name, text in values.items():
        table.add_row(_text(name), _text(text))
    return table


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style)
