"""Checks of the plain values that networks are built from, which may come from a stranger's checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from reprlib import repr as brief

from gandiag import InputError

LARGEST = 1 << 20
MOST = 256  # entries of a list: layers


def whole(network: str, option: str, value: object, least: int = 1, multiple: int = 1) -> int:
    """`value` if it is a whole number of at least `least` and a multiple of `multiple`.

    Raises:
        InputError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST or value % multiple:
        divisible = f" that {multiple} divides" if multiple > 1 else ""
        message = f"{network}: {option} is {brief(value)}, expected a whole number from {least} to {LARGEST}{divisible}"
        raise InputError(message)
    return value


def number(network: str, option: str, value: object, low: float, high: float) -> float:
    """`value` if it is a number from `low` to `high`.

    Raises:
        InputError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"{network}: {option} is {brief(value)}, expected a number from {low:g} to {high:g}")
    return float(value)


def wholes(network: str, option: str, values: object, lengths: Sequence[int] | None = None) -> list[int]:
    """`values` as a list of at most `MOST` positive whole numbers, of one of the given lengths.

    Raises:
        InputError: it is not such a list.
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise InputError(f"{network}: {option} is {brief(values)}, expected a list of whole numbers")
    if lengths is not None and len(values) not in lengths:
        wanted = " or ".join(str(length) for length in lengths)
        raise InputError(f"{network}: {option} has {len(values)} entries, expected {wanted}")
    if len(values) > MOST:
        raise InputError(f"{network}: {option} has {len(values):,} entries, expected {MOST} at most")
    numbers = [whole(network, option, value) for value in values]
    if prod(numbers) > LARGEST**2:
        raise InputError(f"{network}: {option} is {brief(numbers)}, which is too large to build")
    return numbers


def choice(network: str, option: str, value: object, known: Sequence[str]) -> str:
    """`value` if it is one of `known`.

    Raises:
        InputError: it is not.
    """
    if value not in known:
        raise InputError(f"{network}: {option} is {brief(value)}, expected one of {', '.join(known)}")
    return str(value)
