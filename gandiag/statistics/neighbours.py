"""Exact nearest neighbours in blocks: memory grows with the number of samples, not with its square."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from gandiag.statistics import collective

BLOCK_ELEMENTS = 8 * 2**20  # distances held at once, 32 MB in float32


def centred_pair(*, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides moved by the same shift to the origin, where `|x|^2 + |y|^2 - 2 x'y` loses the fewest digits."""
    shift = (real.double().mean(dim=0) + fake.double().mean(dim=0)) / 2
    dtype = torch.promote_types(real.dtype, torch.float32)
    return (real.double() - shift).to(dtype), (fake.double() - shift).to(dtype)


def squared_distances(rows: Tensor, columns: Tensor, column_norms: Tensor) -> Tensor:
    """Squared Euclidean distances (n, m); what rounding alone could have made is exactly 0, so copies are copies."""
    row_norms = rows.square().sum(dim=1)
    distances = torch.addmm(column_norms[None, :], rows, columns.T, alpha=-2).add_(row_norms[:, None])
    resolution = (4 + rows.shape[1] ** 0.5 / 4) * torch.finfo(rows.dtype).eps
    floor = (row_norms * resolution)[:, None] + (column_norms * resolution)[None, :]
    return torch.where(distances <= floor, 0, distances)


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Row ranges whose distances to all columns fit the block."""
    step = max(1, BLOCK_ELEMENTS // max(columns, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def neighbour_lists(points: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` nearest other points of each point.

    Args:
        points: (n, d).
        count: at most n - 1.

    Returns:
        Squared distances (n, count), ascending, and indices (n, count).
    """
    norms = points.square().sum(dim=1)
    distances, indices = [], []
    for block in collective.shared(blocks(len(points), len(points))):
        found = squared_distances(points[block], points, norms)
        own = torch.arange(block.start, block.stop, device=points.device)
        found[own - block.start, own] = torch.inf
        nearest, index = found.topk(count, dim=1, largest=False, sorted=True)
        distances.append(nearest)
        indices.append(index)
    nearest = torch.cat(distances) if distances else norms.new_empty(0, count)
    index = torch.cat(indices) if indices else torch.empty(0, count, dtype=torch.int64, device=points.device)
    return collective.gather(nearest), collective.gather(index)
