"""Whole numbers that a user gives: Python's own and those of NumPy and PyTorch alike."""

from __future__ import annotations

import operator
from typing import Any

from gandiag.core.errors import UsageError, shown


def whole_number(name: str, value: Any, least: int | None = None) -> int:
    """The value of an argument as an int.

    Raises:
        UsageError: it is no whole number, or below `least`.
    """
    try:
        found = operator.index(value)
    except TypeError:
        found = None
    if found is None or (least is not None and found < least):
        bound = "" if least is None else f" of {least} or more"
        raise UsageError(f"{name} is {shown(value)}, expected a whole number{bound}")
    return found
