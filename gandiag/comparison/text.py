"""Numbers and names as a person reads them, for tables of every kind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from gandiag.comparison.table import Row, Versus
from gandiag.core.score import decimals


def value_text(row: Row) -> str:
    """The value to the digits that its error bar allows, with half the width of its interval; `?` where unreliable."""
    if row.value is None:
        return "undefined" if row.status == "undefined" else "-"
    places = decimals(row.value, row.stderr, row.ci95)
    text = f"{row.value:.{places}f}"
    if row.ci95 is not None:
        text += f" ± {(row.ci95[1] - row.ci95[0]) / 2:.{places}f}"
    return f"{text} ?" if row.status == "unreliable" else text


def difference_text(versus: Versus) -> str:
    """The difference with its sign, and half the width of its interval."""
    places = decimals(versus.difference, versus.stderr, versus.ci95)
    text = f"{versus.difference:+.{places}f}"
    if versus.ci95 is not None:
        text += f" ± {(versus.ci95[1] - versus.ci95[0]) / 2:.{places}f}"
    return text


def p_text(p_value: float | None) -> str:
    """A p-value to two digits."""
    if p_value is None:
        return "-"
    return "<0.0001" if p_value < 0.0001 else f"{p_value:.2g}"


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Names without the folder that all of them are in."""
    if len(names) < 2 or not all(os.sep in name for name in names):
        return {name: name for name in names}
    try:
        common = os.path.commonpath([str(Path(name).parent) for name in names])
    except ValueError:  # absolute and relative ones
        return {name: name for name in names}
    inside = {name: name.removeprefix(common).lstrip(os.sep) for name in names}
    return inside if common else {name: name for name in names}
