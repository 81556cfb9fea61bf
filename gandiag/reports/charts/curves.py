"""Curves over steps, with the band of their intervals, and marks where something happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gandiag.reports.charts.scale import Scale, fitted, short
from gandiag.reports.charts.svg import WIDTH, area, drawing, element, line, marker, polyline, text

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 46, 12, 18, 32, 190
MARKED = 40  # points of a curve up to which each has its mark
DRAWN = 600  # points of a curve that are drawn: a pixel shows no more


@dataclass(frozen=True)
class Curve:
    """One line: points by step, each with its interval or without."""

    label: str
    points: tuple[tuple[float, float], ...]
    series: int
    intervals: tuple[tuple[float, float] | None, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A place on the axis of steps where something happened: an alert, or the best checkpoint."""

    step: float
    label: str
    kind: str


def curves(
    lines: Sequence[Curve],
    title: str,
    *,
    marks: Sequence[Mark] = (),
    log: bool = False,
    least: float | None = None,
    x_label: str = "step",
) -> Markup:
    """The chart of one or more lines over steps."""
    lines = [_thinned(each) for each in lines]
    ends = [end for each in lines for interval in each.intervals if interval is not None for end in interval]
    values = [value for each in lines for _, value in each.points]
    across = fitted(
        [*(step for each in lines for step, _ in each.points), *(mark.step for mark in marks)], LEFT, WIDTH - RIGHT
    )
    bottom = TOP + HEIGHT
    up = fitted([*values, *ends], bottom, TOP, log=log, least=least)
    drawn: list[Markup] = []
    for tick in up.ticks():
        drawn += [line(LEFT, up(tick), WIDTH - RIGHT, up(tick), "grid")]
        drawn += [text(LEFT - 5, up(tick) + 4, short(tick), anchor="end", kind="tick")]
    drawn += [text(across(tick), bottom + 14, short(tick), anchor="middle", kind="tick") for tick in across.ticks()]
    drawn.append(text(WIDTH - RIGHT, bottom + 28, x_label, anchor="end", kind="note"))
    drawn += [_mark(mark, across(mark.step), bottom) for mark in marks]
    drawn += [_curve(each, across, up) for each in lines]
    return drawing(bottom + BOTTOM, title, *drawn)


def _curve(curve: Curve, across: Scale, up: Scale) -> Markup:
    kind = f"s{curve.series % 8}"
    places = [(across(step), up(value)) for step, value in curve.points]
    parts = [element("title", {}, curve.label)]
    band = [(across(step), each) for (step, _), each in zip(curve.points, curve.intervals, strict=False) if each]
    if len(band) > 1:
        outline = [(x, up(high)) for x, (_, high) in band] + [(x, up(low)) for x, (low, _) in reversed(band)]
        parts.append(area(outline, f"band {kind}"))
    parts.append(polyline(places, f"curve {kind}"))
    if len(places) <= MARKED:
        parts += [
            marker(x, y, curve.series, f"{curve.label}, {step:g}: {value:.4g}")
            for (x, y), (step, value) in zip(places, curve.points, strict=True)
        ]
    return element("g", {"data-series": curve.series}, *parts)


def _mark(mark: Mark, x: float, bottom: float) -> Markup:
    title = element("title", {}, f"{mark.label} at {mark.step:g}")
    return element(
        "g",
        {"class": f"event {mark.kind}"},
        title,
        line(x, TOP - 6, x, bottom, "event-line"),
        element("path", {"d": f"M{x - 5:.1f} {TOP - 12} L{x + 5:.1f} {TOP - 12} L{x:.1f} {TOP - 3} Z"}),
    )


def _thinned(curve: Curve) -> Curve:
    """The curve with every n-th point and the extremes of what lies between, so that no spike is lost."""
    count = len(curve.points)
    if count <= DRAWN:
        return curve
    size = -(-count // (DRAWN // 2))
    kept = sorted(
        {
            index
            for start in range(0, count, size)
            for index in (
                min(range(start, min(start + size, count)), key=lambda place: curve.points[place][1]),
                max(range(start, min(start + size, count)), key=lambda place: curve.points[place][1]),
            )
        }
        | {0, count - 1}
    )
    intervals = tuple(curve.intervals[index] for index in kept) if len(curve.intervals) == count else ()
    return Curve(curve.label, tuple(curve.points[index] for index in kept), curve.series, intervals)
