"""Numbers as a reader wants them: as many digits as the error bar allows."""

from __future__ import annotations

from gandiag.core.score import decimals

Interval = tuple[float, float] | None


def value_text(value: float | None, stderr: float | None, interval: Interval, *, sign: bool = False) -> str:
    """The value, or `undefined`."""
    if value is None:
        return "undefined"
    return f"{value:{'+' if sign else ''}.{decimals(value, stderr, interval)}f}"


def interval_text(value: float | None, stderr: float | None, interval: Interval, *, sign: bool = False) -> str:
    """`low to high`, or an empty text."""
    if value is None or interval is None:
        return ""
    places, plus = decimals(value, stderr, interval), "+" if sign else ""
    return f"{interval[0]:{plus}.{places}f} to {interval[1]:{plus}.{places}f}"
