"""SVG elements as safe text: attributes and contents are escaped here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup, escape

WIDTH = 380  # units of a chart; its text is then readable on a phone, where a unit is about a pixel
SERIES = 8  # colours and marks that the style sheet has; more series take them again

Attributes = Mapping[str, str | float | int]


def element(name: str, attributes: Attributes, *children: Markup | str) -> Markup:
    """One element; children that are plain text are escaped."""
    written = Markup("").join(Markup(' {}="{}"').format(key, _text(value)) for key, value in attributes.items())
    inside = Markup("").join(child if isinstance(child, Markup) else escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, inside)


def text(x: float, y: float, content: str, *, anchor: str = "start", kind: str = "label") -> Markup:
    """A line of text."""
    return element("text", {"x": x, "y": y, "text-anchor": anchor, "class": kind}, content)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line."""
    return element("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": kind})


def drawing(height: float, title: str, *children: Markup) -> Markup:
    """A whole chart, `WIDTH` wide; the title is what a screen reader says."""
    attributes: Attributes = {"viewBox": f"0 0 {WIDTH} {_text(height)}", "role": "img", "aria-label": title}
    return element("svg", attributes, *children)


def marker(x: float, y: float, series: int, title: str = "") -> Markup:
    """A mark whose shape tells the series too, since colours are lost on paper and to some eyes."""
    inside = (element("title", {}, title),) if title else ()
    kind = {"class": f"mark s{series % SERIES}"}
    match series % 4:
        case 0:
            return element("circle", {"cx": x, "cy": y, "r": 4, **kind}, *inside)
        case 1:
            return element("rect", {"x": x - 3.6, "y": y - 3.6, "width": 7.2, "height": 7.2, **kind}, *inside)
        case 2:
            return element("path", {"d": _path([(x, y - 5), (x + 4.6, y + 3.6), (x - 4.6, y + 3.6)]), **kind}, *inside)
        case _:
            return element("path", {"d": _path([(x, y - 5), (x + 5, y), (x, y + 5), (x - 5, y)]), **kind}, *inside)


def polyline(points: list[tuple[float, float]], kind: str) -> Markup:
    """A line through points."""
    return element("path", {"d": _path(points, closed=False), "class": kind})


def area(points: list[tuple[float, float]], kind: str) -> Markup:
    """A filled shape."""
    return element("path", {"d": _path(points), "class": kind})


def shortened(name: str, most: int) -> str:
    """A name cut in the middle, where it is too long for its place."""
    if len(name) <= most:
        return name
    tail = most // 2
    return f"{name[: most - tail - 1]}…{name[-tail:]}"


def _path(points: list[tuple[float, float]], *, closed: bool = True) -> str:
    steps = " ".join(f"{'M' if place == 0 else 'L'}{_text(x)} {_text(y)}" for place, (x, y) in enumerate(points))
    return f"{steps} Z" if closed else steps


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
