"""Exact nearest neighbours in tiles: memory grows with the number of samples, not with its square."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from gandiag.statistics import collective

BLOCK_ELEMENTS = 4 * 2**20  # distances held at once, 16 MB in float32
TILE = 1024  # rows and columns of a tile
FEW = 64  # dimensions up to which float64 costs next to nothing: tight clusters of points lie far from the middle


def centred_pair(*, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides moved by the same shift to the origin, where `|x|^2 + |y|^2 - 2 x'y` loses the fewest digits."""
    shift = common_shift(real=real, fake=fake)
    return moved(real, shift), moved(fake, shift)


def common_shift(*, real: Tensor, fake: Tensor) -> Tensor:
    """Middle of the means of both sides (d,), in the type in which distances are computed."""
    return ((_mean(real) + _mean(fake)) / 2).to(distance_type(real))


def distance_type(points: Tensor) -> torch.dtype:
    """The type in which distances of points (n, d) are computed: float32 or wider.

    In a few dimensions it is float64: `|x|^2 + |y|^2 - 2 x'y` would lose the width of clusters that are far apart.
    """
    return torch.promote_types(points.dtype, torch.float64 if points.shape[1] <= FEW else torch.float32)


def moved(points: Tensor, shift: Tensor | None) -> Tensor:
    """Points less the shift. Equal points stay equal."""
    return points if shift is None else points.to(shift.dtype) - shift


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


def tile_slices(count: int) -> list[slice]:
    """Ranges of rows, or of columns, of the tiles."""
    return [slice(start, min(start + TILE, count)) for start in range(0, count, TILE)]


def squared_norms(points: Tensor, shift: Tensor | None) -> Tensor:
    """Squared length of each moved point, (n,), without a moved copy of them all."""
    parts = [moved(points[rows], shift).square().sum(dim=1) for rows in tile_slices(len(points))]
    return torch.cat(parts) if parts else points.new_zeros(0)


def neighbour_lists(points: Tensor, count: int, shift: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The `count` nearest other points of each point.

    Each pair of points is looked at once. Where several processes run, each takes a share of the tiles.

    Args:
        points: (n, d).
        count: at most n - 1.
        shift: taken off every point, (d,).

    Returns:
        Squared distances (n, count), ascending, and indices (n, count).
    """
    norms = squared_norms(points, shift)
    slices = tile_slices(len(points))
    nearest = norms.new_full((len(points), count), torch.inf)
    indices = torch.zeros(len(points), count, dtype=torch.int64, device=points.device)
    pairs = ((one, other) for place, one in enumerate(slices) for other in slices[place:])
    for one, other in collective.shared(pairs):
        found = squared_distances(moved(points[one], shift), moved(points[other], shift), norms[other])
        if one == other:
            found.fill_diagonal_(torch.inf)
        else:
            _improve(nearest[other], indices[other], found.T, one.start)
        _improve(nearest[one], indices[one], found, other.start)
    if collective.world() > 1:
        # Each has seen some tiles of every row: the best of all are the nearest.
        shape = (collective.world(), len(points), count)
        together = collective.gather(nearest).view(shape).movedim(0, 1).flatten(1)
        places = collective.gather(indices).view(shape).movedim(0, 1).flatten(1)
        nearest, order = together.topk(count, dim=1, largest=False, sorted=True)
        indices = places.gather(1, order)
    return nearest, indices


def _improve(nearest: Tensor, indices: Tensor, found: Tensor, start: int) -> None:
    """Put the distances of a tile, of points from `start` on, into the lists where they are shorter."""
    count = nearest.shape[1]
    distances, columns = found.topk(min(count, found.shape[1]), dim=1, largest=False, sorted=True)
    together = torch.cat([nearest, distances], dim=1)
    places = torch.cat([indices, columns + start], dim=1)
    best, order = together.topk(count, dim=1, largest=False, sorted=True)
    nearest.copy_(best)
    indices.copy_(places.gather(1, order))


def _mean(points: Tensor) -> Tensor:
    """Mean in float64, without a copy of all points in it."""
    total = torch.zeros(points.shape[1], dtype=torch.float64, device=points.device)
    for rows in tile_slices(len(points)):
        total += points[rows].sum(dim=0, dtype=torch.float64)
    return total / max(len(points), 1)
