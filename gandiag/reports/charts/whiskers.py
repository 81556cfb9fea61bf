"""Dot and whisker: the value of each model with its 95% interval, on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gandiag.reports.charts.scale import fitted, short
from gandiag.reports.charts.svg import WIDTH, drawing, element, line, marker, shortened, text

LEFT, RIGHT, ROW, TOP, BOTTOM = 118, 14, 24, 8, 26


@dataclass(frozen=True)
class Whisker:
    """One model on the axis: its interval is None where the score has none."""

    label: str
    value: float
    interval: tuple[float, float] | None
    series: int


def whiskers(rows: Sequence[Whisker], title: str, *, better: str | None = None) -> Markup:
    """The chart of one score."""
    ends = [end for row in rows for end in (row.value, *(row.interval or ()))]
    scale = fitted(ends, LEFT, WIDTH - RIGHT)
    bottom = TOP + ROW * len(rows)
    drawn = [part for tick in scale.ticks() for part in _tick(scale(tick), bottom, short(tick))]
    for place, row in enumerate(rows):
        middle = TOP + ROW * (place + 0.5)
        interval = "" if row.interval is None else f", 95% interval {row.interval[0]:.4g} to {row.interval[1]:.4g}"
        label = element("title", {}, f"{row.label}: {row.value:.4g}{interval}")
        name = text(LEFT - 8, middle + 4, shortened(row.label, 18), anchor="end")
        parts = [label, name]
        if row.interval is not None:
            low, high = scale(row.interval[0]), scale(row.interval[1])
            parts.append(line(low, middle, high, middle, f"whisker s{row.series % 8}"))
            parts += [line(end, middle - 4, end, middle + 4, f"whisker s{row.series % 8}") for end in (low, high)]
        parts.append(marker(scale(row.value), middle, row.series))
        drawn.append(element("g", {"data-series": row.series}, *parts))
    if better is not None:
        arrow = "← lower is better" if better == "lower" else "higher is better →"
        drawn.append(
            text(
                LEFT if better == "lower" else WIDTH - RIGHT,
                bottom + 24,
                arrow,
                anchor="start" if better == "lower" else "end",
                kind="note",
            )
        )
    return drawing(bottom + BOTTOM + (4 if better else 0), title, *drawn)


def _tick(x: float, bottom: float, label: str) -> tuple[Markup, Markup]:
    return line(x, TOP, x, bottom, "grid"), text(x, bottom + 12, label, anchor="middle", kind="tick")
