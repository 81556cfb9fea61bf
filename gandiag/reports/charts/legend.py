"""The key to a chart's colours and marks; its entries hide and show a series where scripts run."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from gandiag.reports.charts.svg import Attributes, element, marker


def legend(entries: Sequence[tuple[str, int]], *, toggles: bool = False) -> Markup:
    """A list of names, each beside the mark of its series; as buttons for all charts of a page, or as words."""
    written = [_entry(label, series, toggles=toggles) for label, series in entries]
    return element("ul", {"class": "legend"}, *(element("li", {}, each) for each in written))


def _entry(label: str, series: int, *, toggles: bool) -> Markup:
    mark = element("svg", {"viewBox": "0 0 14 14", "aria-hidden": "true"}, marker(7, 7, series))
    if not toggles:
        return element("span", {"class": "entry"}, mark, label)
    kind: Attributes = {"type": "button", "aria-pressed": "true", "data-toggles": series}
    return element("button", kind, mark, label)
