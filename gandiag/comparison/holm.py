"""Holm's correction for many tests at once."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values that hold for all tests together, whatever their dependence.

    The k-th smallest of m is multiplied by `m - k + 1`, and is no less than those before it (Holm, 1979, "A simple
    sequentially rejective multiple test procedure").
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min((len(p_values) - place) * p_values[index], 1.0))
        adjusted[index] = largest
    return adjusted
