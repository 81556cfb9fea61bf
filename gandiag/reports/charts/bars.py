"""Bars of classes against the reference: which are missing, which too many."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from gandiag.reports.charts.scale import fitted, short
from gandiag.reports.charts.svg import WIDTH, drawing, element, line, text

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 46, 12, 10, 30, 150
LABELLED = 20  # classes up to which each has its name below it


def bars(
    shares: Sequence[float], expected: Sequence[float], names: Sequence[str], title: str, *, series: int
) -> Markup:
    """Share of each class as a bar, and that of the reference as a line across it; missing classes are marked."""
    count = len(shares)
    up = fitted([*shares, *expected], TOP + HEIGHT, TOP, least=0.0)
    room = (WIDTH - LEFT - RIGHT) / max(count, 1)
    drawn: list[Markup] = []
    for tick in up.ticks(4):
        drawn += [line(LEFT, up(tick), WIDTH - RIGHT, up(tick), "grid")]
        drawn += [text(LEFT - 5, up(tick) + 4, short(tick), anchor="end", kind="tick")]
    for place, (share, usual, name) in enumerate(zip(shares, expected, names, strict=True)):
        left = LEFT + room * place
        label = element("title", {}, f"{name}: {share:.4g} of the samples, {usual:.4g} of the reference")
        gap = 0.15 * room if room > 3 else 0.0
        box = {"x": left + gap, "y": up(share), "width": room - 2 * gap, "height": max(up(0) - up(share), 0.0)}
        parts = [label, element("rect", {**box, "class": f"bar s{series % 8}"})]
        parts.append(line(left + gap, up(usual), left + room - gap, up(usual), "expected"))
        if share == 0 and usual > 0:
            parts.append(text(left + room / 2, up(0) - 4, "\u00d7", anchor="middle", kind="missing"))
        if count <= LABELLED:
            parts.append(text(left + room / 2, TOP + HEIGHT + 13, name, anchor="middle", kind="tick"))
        drawn.append(element("g", {}, *parts))
    return drawing(TOP + HEIGHT + BOTTOM, title, *drawn)
