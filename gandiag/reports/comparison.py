"""The report of a comparison: the verdict and the table first, then pictures, then how to repeat it."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gandiag.comparison.table import Comparison, Entry, Row, Sweep, Versus
from gandiag.comparison.text import p_text
from gandiag.core.gallery import Gallery, ModelPictures, Picture
from gandiag.core.score import Score
from gandiag.reports.charts.bars import bars
from gandiag.reports.charts.curves import Curve, Mark, curves
from gandiag.reports.charts.legend import legend
from gandiag.reports.charts.scatter import Group, scatter
from gandiag.reports.charts.whiskers import Whisker, whiskers
from gandiag.reports.command import command_of
from gandiag.reports.names import shortened
from gandiag.reports.numbers import interval_text, value_text
from gandiag.reports.page import Section, render, write_page

COLUMNS = 5  # sources up to which each has a column of the table; more have a row each
BARS = 60  # modes up to which each has its bar; more are drawn by their rank


@dataclass(frozen=True)
class Cell:
    """One score of one source in the table: what stands there, how it is coloured, and what is said below."""

    text: str
    interval: str
    value: float | None
    kind: str
    tag: str
    note: str


def write_comparison_report(
    comparison: Comparison, path: str | os.PathLike[str], gallery: Gallery | None = None
) -> None:
    """Write the page of a comparison; the gallery has its pictures.

    Raises:
        InputError: the file cannot be written.
    """
    comparison, gallery = shortened(comparison, gallery)
    bodies = [
        ("verdict", "Verdict", _verdict(comparison)),
        ("table", "Scores", _table(comparison)),
        ("samples", "Samples", _samples(gallery)),
        ("modes", "Modes", _modes(comparison, gallery)),
        ("intervals", "Intervals", _intervals(comparison)),
        ("steps", "Over steps and releases", _steps(comparison)),
        ("differences", "Differences", _differences(comparison)),
        ("map", "Precision, recall and features", _maps(comparison, gallery)),
        ("matter", "Samples that matter", _matter(gallery)),
        ("protocol", "Protocol", _protocol(comparison)),
    ]
    sections = [Section(*each) for each in bodies if each[2]]
    count = len(comparison.entries)
    names = (entry.result.reference.get("name") for entry in comparison.entries)
    reference = next((name for name in names if name is not None), None)
    about = f"{count} source{'s' if count != 1 else ''}" + ("" if reference is None else f" against {reference}")
    write_page(path, f"Comparison of {about}", sections, subtitle=_headline(comparison))


def _headline(comparison: Comparison) -> str:
    """The best source by the score that was asked for, or by the first that ranks."""
    if comparison.best is not None:
        return _best_line(str(comparison.best_by), comparison.best, comparison.tied)
    for name in ("fid", *comparison.scores):
        rows = [row for row in comparison.rows if row.score == name and row.rank is not None]
        best = next((row.source for row in rows if row.best), None)
        if best is not None and len(rows) > 1:
            tied = tuple(row.source for row in rows if row.rank == 1 and row.source != best)
            return _best_line(name, best, tied)
    return "One source, and nothing to compare it with." if len(comparison.entries) == 1 else "No source is the best."


def _best_line(score: str, best: str, tied: Sequence[str]) -> str:
    return f"Best by {score}: {best}" + (f"; not told apart from {_several(tied)}" if tied else "") + "."


def _several(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _verdict(comparison: Comparison) -> Markup:
    foreign = sorted({row.source for row in comparison.rows if row.status == "not comparable"})
    return render(
        "comparison_verdict.html",
        headline=_headline(comparison),
        comparison=comparison,
        warnings=list(dict.fromkeys(comparison.warnings)),  # those of the Results are among them
        foreign=foreign,
        state=_state(comparison),
    )


def _state(comparison: Comparison) -> str:
    """How the verdict is coloured: by a loss against the baseline, else by what is doubtful or was lost on the way."""
    if any(row.to_baseline is not None and row.to_baseline.verdict == "worse" for row in comparison.rows):
        return "bad"
    doubtful = any(row.status in ("not comparable", "unreliable", "undefined") for row in comparison.rows)
    falls = any(sweep.falls for sweep in comparison.sweeps)
    return "warn" if comparison.failures or doubtful or falls else "good"


def _table(comparison: Comparison) -> Markup:
    cells = {(row.source, row.score): _cell(row) for row in comparison.rows}
    better = {
        name: next((row.better for row in comparison.rows_of(name) if row.better is not None), None)
        for name in comparison.scores
    }
    notes = {
        f"{row.score} of {row.source}: {cells[row.source, row.score].note}"
        for row in comparison.rows
        if cells[row.source, row.score].note
    }
    return render(
        "scores.html",
        comparison=comparison,
        cells=cells,
        columns=COLUMNS,
        notes=sorted(notes),
        better=better,
        steps=any(entry.step is not None for entry in comparison.entries),
        legend=_legend(comparison),
    )


def _cell(row: Row) -> Cell:
    notes = [*([row.reason] if row.reason else []), *row.differs]
    tag: str = "" if row.status in ("ok", "missing", "undefined") else row.status
    kind = "warn" if row.status not in ("ok", "missing") else ""
    if row.status == "ok" and row.rank == 1:
        kind = "good"
    if row.to_baseline is not None and row.to_baseline.verdict == "worse":
        kind, tag = "bad", "worse"
    value = "" if row.status == "missing" else value_text(row.value, row.stderr, row.ci95)
    return Cell(value, interval_text(row.value, row.stderr, row.ci95), row.value, kind, tag, "; ".join(notes))


def _legend(comparison: Comparison) -> Markup:
    return legend([(entry.name, place) for place, entry in enumerate(comparison.entries)], toggles=True)


def _samples(gallery: Gallery | None) -> Markup:
    if gallery is None:
        return Markup("")
    sheets = [(model.name, _source(model.sheet), "generated") for model in gallery.models if model.sheet is not None]
    if gallery.sheet is not None:
        sheets.append(("Real samples", _source(gallery.sheet), "real"))
    figures = []
    if gallery.points:
        limits = _limits(gallery)
        groups = [Group("real", gallery.points, 7)]
        for place, model in enumerate(gallery.models):
            chart = scatter(
                [*groups, Group(model.name, model.points, place)], f"Samples of {model.name}", limits=limits
            )
            names = legend([("real", 7), (model.name, place)])
            figures.append(
                render("figure.html", title=model.name, says="samples of the mixture", chart=chart, legend=names)
            )
    if not sheets and not figures and not gallery.notes:
        return Markup("")
    return render("samples.html", sheets=sheets, figures=figures, notes=gallery.notes)


def _limits(gallery: Gallery) -> tuple[float, float]:
    """The same for both axes and all models: what the real points need, and half as much again."""
    reach = max((abs(value) for point in gallery.points for value in point), default=1.0)
    return -1.5 * reach, 1.5 * reach


def _source(png: bytes | None) -> str:
    return "" if png is None else f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _modes(comparison: Comparison, gallery: Gallery | None) -> Markup:
    figures, missing = [], []
    known = [] if gallery is None else list(gallery.mode_shares)
    for place, entry in enumerate(comparison.entries):
        score = _first_score(entry, "modes")
        counts = () if score is None else score.details.get("counts", ())
        if score is None or not isinstance(counts, Sequence) or sum(counts) == 0:
            continue
        shares = [count / sum(counts) for count in counts]
        names = (
            [name for name, _ in known] if len(known) == len(shares) else [str(number) for number in range(len(shares))]
        )
        expected = [share for _, share in known] if len(known) == len(shares) else []
        says = f"{value_text(score.value, score.stderr, score.ci95)} of {len(shares):,} modes have a sample"
        figures.append(_histogram(entry.name, shares, expected, names, place, says))
        lost = [str(name) for name in score.details.get("missing", ())]
        if lost:
            missing.append(
                (entry.name, lost, [gallery.modes[name] for name in lost if name in gallery.modes] if gallery else [])
            )
    if not figures:
        return Markup("")
    shown = [(name, lost, [_picture(each) for each in pictures]) for name, lost, pictures in missing]
    return render("modes.html", figures=figures, missing=shown)


def _histogram(
    name: str, shares: Sequence[float], expected: Sequence[float], names: Sequence[str], series: int, says: str
) -> Markup:
    title = f"Share of each mode, {name}"
    if len(shares) <= BARS:
        chart = bars(shares, expected or [1 / len(shares)] * len(shares), names, title, series=series)
        says = f"{says}; the line across a bar is the reference's share" if expected else says
        return render("figure.html", title=name, says=says, chart=chart, legend=Markup(""))
    lines = [Curve(name, _ranked(shares), series)]
    lines += [Curve("reference", _ranked(expected), 7)] if expected else []
    chart = curves(lines, title, least=0.0, x_label="mode, from the largest share to the smallest")
    entries = legend([(each.label, each.series) for each in lines])
    return render("figure.html", title=name, says=says, chart=chart, legend=entries)


def _ranked(shares: Sequence[float]) -> tuple[tuple[float, float], ...]:
    return tuple((float(rank), share) for rank, share in enumerate(sorted(shares, reverse=True), start=1))


def _first_score(entry: Entry, name: str) -> Score | None:
    return next((score for key, score in entry.result.scores.items() if key.partition("@")[0] == name), None)


def _picture(picture: Picture) -> tuple[str, str]:
    return _source(picture.png), picture.caption


def _intervals(comparison: Comparison) -> Markup:
    figures = []
    places = {name: place for place, name in enumerate(comparison.sources)}
    for name in comparison.scores:
        rows = [row for row in comparison.rows_of(name) if row.value is not None and row.status != "not comparable"]
        if not rows:
            continue
        drawn = [Whisker(row.source, row.value, row.ci95, places[row.source]) for row in rows if row.value is not None]
        better = next((row.better for row in rows if row.better is not None), None)
        chart = whiskers(drawn, f"{name} of each source, with 95% intervals", better=better)
        figures.append(render("figure.html", title=name, says="", chart=chart, legend=Markup("")))
    if not figures:
        return Markup("")
    return render("charts.html", figures=figures, marks=False, empty="")


def _steps(comparison: Comparison) -> Markup:
    parts = [_sweep(comparison, sweep) for sweep in comparison.sweeps]
    return Markup("").join(parts)


def _sweep(comparison: Comparison, sweep: Sweep) -> Markup:
    figures = []
    for name in comparison.scores:
        rows = [comparison.row(source, name) for source in sweep.sources]
        points = [
            (float(step), row.value, row.ci95)
            for step, row in zip(sweep.steps, rows, strict=True)
            if row.value is not None and row.status != "not comparable"
        ]
        if len(points) < 2:
            continue
        line = Curve(name, tuple((step, value) for step, value, _ in points), 0, tuple(each for _, _, each in points))
        marks = [Mark(fall.step, f"{name} fell", "critical") for fall in sweep.falls if fall.score == name]
        if sweep.best is not None:
            marks.append(Mark(sweep.steps[sweep.sources.index(sweep.best)], f"best by {sweep.best_by}", "good"))
        chart = curves([line], f"{name} over {sweep.unit}s", marks=marks, x_label=sweep.unit)
        figures.append(render("figure.html", title=name, says="", chart=chart, legend=Markup("")))
    return render("sweep.html", sweep=sweep, figures=figures)


def _differences(comparison: Comparison) -> Markup:
    rows = []
    for row in comparison.rows:
        versus = row.to_baseline if comparison.baseline is not None else row.to_best
        if versus is not None:
            rows.append((row, versus, _difference(versus)))
    if not rows:
        return Markup("")
    return render("differences.html", rows=rows, baseline=comparison.baseline)


def _difference(versus: Versus) -> Mapping[str, str]:
    return {
        "difference": value_text(versus.difference, versus.stderr, versus.ci95, sign=True),
        "interval": interval_text(versus.difference, versus.stderr, versus.ci95, sign=True),
        "p": p_text(versus.p_adjusted),
        "kind": {"better": "good", "worse": "bad"}.get(versus.verdict, ""),
    }


def _maps(comparison: Comparison, gallery: Gallery | None) -> Markup:
    figures = []
    groups = []
    for place, entry in enumerate(comparison.entries):
        precision, recall = _first_score(entry, "precision"), _first_score(entry, "recall")
        if precision is not None and recall is not None and precision.value is not None and recall.value is not None:
            points = ((recall.value, precision.value),)
            groups.append(Group(entry.name, points, place, large=True, across=recall.ci95, up=precision.ci95))
    if groups:
        chart = scatter(groups, "Precision against recall", labels=("recall", "precision"), limits=(0.0, 1.0))
        names = legend([(group.label, group.series) for group in groups])
        says = "up is better looking, right is more of the data; the boxes are 95% intervals"
        figures.append(render("figure.html", title="Precision against recall", says=says, chart=chart, legend=names))
    if gallery is not None and gallery.projection:
        for place, model in enumerate(gallery.models):
            if model.projection:
                figures.append(_projection(model, gallery, place))
    if not figures:
        return Markup("")
    return render("charts.html", figures=figures, marks=False, empty="")


def _projection(model: ModelPictures, gallery: Gallery, place: int) -> Markup:
    groups = [Group("real", gallery.projection, 7), Group(model.name, model.projection, place)]
    chart = scatter(groups, f"Features of {model.name} and of real samples")
    says = "features of some samples, on the two directions in which they vary most"
    names = legend([("real", 7), (model.name, place)])
    return render("figure.html", title=model.name, says=says, chart=chart, legend=names)


def _matter(gallery: Gallery | None) -> Markup:
    if gallery is None or not any(model.worst or model.copies for model in gallery.models):
        return Markup("")
    models = [
        (
            model.name,
            [_picture(each) for each in model.worst],
            [_picture(each) for each in model.best],
            [(_picture(fake), _picture(real)) for fake, real in model.copies],
        )
        for model in gallery.models
    ]
    return render("matter.html", models=models)


def _protocol(comparison: Comparison) -> Markup:
    entries = [(entry, command_of(entry.result), _facts(entry)) for entry in comparison.entries]
    return render("protocol.html", entries=entries, comparison=comparison)


def _facts(entry: Entry) -> list[tuple[str, str]]:
    result = entry.result
    parts: list[tuple[str, Mapping[str, object]]] = [
        ("source", result.source),
        ("reference", result.reference),
        ("protocol", result.protocol),
        ("environment", result.environment),
    ]
    return [
        (f"{part} {key}", str(value)) for part, values in parts for key, value in values.items() if value is not None
    ]
