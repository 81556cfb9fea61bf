"""Points of several groups on a plane: samples of a mixture, a projection of features, precision against recall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gandiag.reports.charts.scale import Scale, fitted, short
from gandiag.reports.charts.svg import WIDTH, area, drawing, element, line, marker, text

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 46, 12, 10, 34, 270


@dataclass(frozen=True)
class Group:
    """Points of one kind: small dots, or large marks with a name and the intervals of both values."""

    label: str
    points: tuple[tuple[float, float], ...]
    series: int
    large: bool = False
    across: tuple[float, float] | None = None
    up: tuple[float, float] | None = None


def scatter(
    groups: Sequence[Group],
    title: str,
    *,
    labels: tuple[str, str] = ("", ""),
    limits: tuple[float, float] | None = None,
) -> Markup:
    """The chart; `limits` are those of both axes, else what the points need."""
    if limits is None:
        across = fitted([x for group in groups for x, _ in group.points], LEFT, WIDTH - RIGHT)
        up = fitted([y for group in groups for _, y in group.points], TOP + HEIGHT, TOP)
    else:
        across, up = Scale(*limits, LEFT, WIDTH - RIGHT), Scale(*limits, TOP + HEIGHT, TOP)
    drawn: list[Markup] = []
    for tick in up.ticks():
        drawn += [line(LEFT, up(tick), WIDTH - RIGHT, up(tick), "grid")]
        drawn += [text(LEFT - 5, up(tick) + 4, short(tick), anchor="end", kind="tick")]
    for tick in across.ticks():
        drawn += [line(across(tick), TOP, across(tick), TOP + HEIGHT, "grid")]
        drawn += [text(across(tick), TOP + HEIGHT + 14, short(tick), anchor="middle", kind="tick")]
    drawn += [text(WIDTH - RIGHT, TOP + HEIGHT + 28, labels[0], anchor="end", kind="note")]
    drawn += [text(LEFT + 4, TOP + 10, labels[1], kind="note")]
    drawn += [_group(group, across, up) for group in groups]
    return drawing(TOP + HEIGHT + BOTTOM, title, *drawn)


def _group(group: Group, across: Scale, up: Scale) -> Markup:
    places = [(across(x), up(y)) for x, y in group.points]
    parts = [element("title", {}, group.label)]
    if not group.large:
        # One path of tiny strokes with round ends: thousands of dots in a few kilobytes.
        dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places)
        return element(
            "g",
            {"data-series": group.series},
            *parts,
            element("path", {"d": dots, "class": f"dots s{group.series % 8}"}),
        )
    for (x, y), (one, other) in zip(places, group.points, strict=True):
        if group.across is not None and group.up is not None:
            left, right = across(group.across[0]), across(group.across[1])
            low, high = up(group.up[0]), up(group.up[1])
            parts.append(area([(left, low), (right, low), (right, high), (left, high)], f"band s{group.series % 8}"))
        parts.append(marker(x, y, group.series, f"{group.label}: {one:.3g}, {other:.3g}"))
    return element("g", {"data-series": group.series}, *parts)
