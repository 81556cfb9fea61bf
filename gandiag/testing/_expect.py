"""Assertions that survive `python -O` and say what was expected."""

from __future__ import annotations

from torch import Tensor


def expect(holds: bool, message: str) -> None:
    """Raise AssertionError with the message unless `holds`."""
    if not holds:
        raise AssertionError(message)


def largest_difference(one: Tensor, other: Tensor) -> float:
    """The largest absolute difference of two tensors of one shape; infinite where the shapes differ."""
    if one.shape != other.shape:
        return float("inf")
    return float((one.double() - other.double()).abs().max()) if one.numel() else 0.0
