"""The report of a monitored run: what was measured over steps, and each alert where it struck."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from gandiag.core.alert import KINDS
from gandiag.core.signals import QUALITY, SIGNALS, Record, player_of
from gandiag.reports.charts.curves import Curve, Mark, curves
from gandiag.reports.charts.legend import legend
from gandiag.reports.page import Section, render, write_page

if TYPE_CHECKING:
    from gandiag.monitor.diagnose import Diagnosis


@dataclass(frozen=True)
class Chart:
    """Signals that are looked at together."""

    title: str
    says: str
    signals: tuple[str, ...]
    log: bool = False
    least: float | None = None


CHARTS = (
    Chart(
        "Gradient norms",
        "median over each window, logarithmic",
        ("generator_gradient_norm", "discriminator_gradient_norm"),
        log=True,
    ),
    Chart(
        "Discriminator: real against fake",
        "0.5 is a guess",
        ("auc", "real_confidence", "fake_confidence"),
        least=0.0,
    ),
    Chart("Losses", "mean over each window", ("generator_loss", "discriminator_loss")),
    Chart(
        "Diversity of the fakes",
        "against as many real samples; 1 is as diverse",
        ("variance_ratio", "pairwise_distance_ratio", "vendi_ratio", "nearest_neighbour_ratio", "coverage"),
        least=0.0,
    ),
    Chart(
        "How far the weights travel",
        "in 100 steps, over their norm",
        ("generator_update_ratio", "discriminator_update_ratio"),
        least=0.0,
    ),
    Chart("Raw outputs of the discriminator", "mean of each side", ("real_score", "fake_score", "held_out_score")),
    Chart("What the generator's loss still gives", "slope, and share of flat outputs", ("loss_slope", "saturation")),
    Chart("Held-out real samples", "0.5 and 0 are no overfitting", ("held_out_auc", "held_out_gap"), least=0.0),
)


def write_run_report(diagnosis: Diagnosis, path: str | os.PathLike[str]) -> None:
    """Write the page of a diagnosis: verdict, alerts with evidence and advice, and the signals over steps.

    Raises:
        InputError: the file cannot be written.
    """
    sections = [
        Section("verdict", "Verdict", _verdict(diagnosis)),
        Section("alerts", "Alerts", _alerts(diagnosis)),
        Section("signals", "Signals over steps", _signals(diagnosis)),
        Section("measured", "What was measured", _measured(diagnosis)),
        Section("unseen", "What nobody looked at", _unseen(diagnosis)),
        Section("origin", "Where this comes from", _origin(diagnosis)),
    ]
    write_page(path, f"Training run {diagnosis.name}", sections, subtitle=diagnosis.verdict)


def _verdict(diagnosis: Diagnosis) -> Markup:
    return render("run_verdict.html", diagnosis=diagnosis, state=_state(diagnosis))


def _state(diagnosis: Diagnosis) -> str:
    """How the verdict is coloured; a run that most rules were blind to is not called good."""
    if diagnosis.worst in ("critical", "warning"):
        return "bad" if diagnosis.worst == "critical" else "warn"
    blind = sum(kind in diagnosis.inactive for kind in KINDS)
    return "good" if diagnosis.log.records and 2 * blind <= len(KINDS) else "warn"


def _alerts(diagnosis: Diagnosis) -> Markup:
    return render("alerts.html", alerts=diagnosis.alerts)


def _signals(diagnosis: Diagnosis) -> Markup:
    records = diagnosis.log.records
    marks = [Mark(alert.step, f"{alert.kind} ({alert.severity})", alert.severity) for alert in diagnosis.alerts]
    figures = [
        figure
        for player in _players(records)
        for chart in (*CHARTS, *_qualities(records))
        if (figure := _figure(chart, records, marks, player)) is not None
    ]
    return render("charts.html", figures=figures, marks=bool(marks), empty="No signal was recorded.")


def _figure(chart: Chart, records: Sequence[Record], marks: Sequence[Mark], player: str | None) -> Markup | None:
    behind = "" if player is None else f"@{player}"
    lines = []
    for series, signal in enumerate(chart.signals):
        points = tuple(
            (float(each.step), each.signals[signal + behind]) for each in records if signal + behind in each.signals
        )
        if points:
            lines.append(Curve(_words(signal), points, series))
    if not lines:
        return None
    title = chart.title if player is None else f"{chart.title} of {player}"
    log = chart.log and any(value > 0 for each in lines for _, value in each.points)
    drawn = curves(lines, title, marks=marks, log=log, least=None if log else chart.least)
    return render(
        "figure.html",
        title=title,
        says=chart.says,
        chart=drawn,
        legend=legend([(each.label, each.series) for each in lines]),
    )


def _qualities(records: Sequence[Record]) -> Iterator[Chart]:
    names = {name.partition("@")[0] for each in records for name in each.signals if name.startswith(QUALITY)}
    for name in sorted(each for each in names if not each.endswith(("_stderr", "_better"))):
        yield Chart(f"Quality: {name.removeprefix(QUALITY)}", "measured by evaluate_every", (name,))


def _players(records: Sequence[Record]) -> list[str | None]:
    """The players' names, None for those without one, which come first."""
    found = {player_of(name) for each in records for name in each.signals}
    return sorted(found, key=lambda name: (name is not None, name or ""))


def _measured(diagnosis: Diagnosis) -> Markup:
    rows = [
        (name, SIGNALS.get(name.partition("@")[0], ""), found) for name, found in sorted(diagnosis.measured.items())
    ]
    return render("measured.html", rows=rows)


def _unseen(diagnosis: Diagnosis) -> Markup:
    return render("unseen.html", inactive=diagnosis.inactive, unmapped=diagnosis.unmapped)


def _origin(diagnosis: Diagnosis) -> Markup:
    notes = [*diagnosis.notes, *(f"step {step:,}: {text}" for step, text in diagnosis.log.notes)]
    return render("run_origin.html", diagnosis=diagnosis, notes=notes, header=_header(diagnosis))


def _header(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    return [(str(key), str(value)) for key, value in diagnosis.log.header.items() if key != "schema"]


def _words(signal: str) -> str:
    return signal.removeprefix(QUALITY).replace("_", " ")
