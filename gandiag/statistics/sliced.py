"""Sliced Wasserstein distance: the mean over directions of the distance of the projections, which sorting finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

ELEMENTS = 4 * 2**20  # projected values of a side that are in memory at once


@dataclass(frozen=True)
class Coupling:
    """Optimal transport of n to m equal masses on a line, in ascending order; the same whatever the values.

    Attributes:
        weights: mass of each of the at most n + m - 1 moves, which sum to 1, (k,); None for n = m, one for one.
        source, target: index in the order of where each comes from and goes to, (k,).
    """

    weights: Tensor | None
    source: Tensor
    target: Tensor

    def cost(self, one: Tensor, other: Tensor, power: int) -> Tensor:
        """Cost of each row of sorted values, (rows, n) and (rows, m), as (rows,) in float64."""
        if self.weights is None:
            return (one - other).abs_().pow_(power).mean(dim=1, dtype=torch.float64)
        moves = (one[:, self.source] - other[:, self.target]).abs_().pow_(power)
        return moves.double() @ self.weights


def coupling(n: int, m: int, device: torch.device) -> Coupling:
    """The coupling of n and m samples."""
    if n == m:
        index = torch.empty(0, dtype=torch.int64, device=device)
        return Coupling(None, index, index)
    # In units of 1 / (n m) the masses end at multiples of m and of n: whole numbers, so that none is lost.
    ends = torch.unique(torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]))
    starts = torch.cat([torch.zeros(1, dtype=ends.dtype), ends[:-1]])
    weights = (ends - starts).double() / (n * m)
    return Coupling(weights.to(device), (starts // m).to(device), (starts // n).to(device))


def sliced_distances(
    *,
    real: Tensor,
    fake: Tensor,
    directions: Tensor,
    power: int,
    halves: Sequence[tuple[Tensor, Tensor]] = (),
    directions_for_halves: int | None = None,
) -> tuple[float, list[float]]:
    """Mean over directions of the mean `|move|^power` under optimal transport of the projections.

    Args:
        real: rows (n, d).
        fake: rows (m, d).
        directions: (M, d).
        power: 1 for the distance, 2 for its square.
        halves: indices of rows of both sides that are compared by themselves.
        directions_for_halves: how many of the directions the halves take; all where none is given.

    Returns:
        The distance of all rows, and that of each of the halves.
    """
    step = max(1, ELEMENTS // max(len(real), len(fake)))
    last = len(directions) if directions_for_halves is None else min(directions_for_halves, len(directions))
    whole = coupling(len(real), len(fake), real.device)
    of_halves = [coupling(len(on_real), len(on_fake), real.device) for on_real, on_fake in halves]
    total, totals = 0.0, [0.0] * len(halves)
    for start in range(0, len(directions), step):
        chosen = directions[start : start + step]
        on_real, on_fake = chosen @ real.T, chosen @ fake.T
        total += float(whole.cost(_sorted(on_real), _sorted(on_fake), power).sum())
        for number, (in_real, in_fake) in enumerate(halves):
            if start >= last:
                break
            half_real, half_fake = on_real[: last - start, in_real], on_fake[: last - start, in_fake]
            totals[number] += float(of_halves[number].cost(_sorted(half_real), _sorted(half_fake), power).sum())
    return total / len(directions), [half / last for half in totals]


def _sorted(values: Tensor) -> Tensor:
    # NumPy sorts with vector instructions, several times faster than torch on a CPU.
    if values.device.type == "cpu":
        return torch.from_numpy(np.sort(values.numpy(), axis=1))
    return values.sort(dim=1).values
