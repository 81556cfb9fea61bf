"""Which points lie in the nearest-neighbour balls of others, for all points and for random halves at once.

The neighbour lists of the full run serve every half: a ball's radius in a half is the first distance of the list at
which the k-th member of the half is reached. It is never smaller than the full radius, so pairs within that need no
second look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.statistics import collective
from gandiag.statistics.neighbours import moved, neighbour_lists, squared_distances, squared_norms, tile_slices

# Neighbours kept of each point: fewer than 5 of 32 fall into a random half for one point in a hundred thousand.
LIST = 32
PAIRS = 2**15  # pairs looked at together, 5 MB for 40 halves


@dataclass(frozen=True)
class BallCounts:
    """Counts in each selection, one a column: all points first, then each half.

    Attributes:
        balls: (points, selections): selected balls that hold each point.
        points: (centres, selections): selected points that each ball holds.
        selected_centres, selected_points: 1 for those in a selection and 0 for the others, the same shapes.
    """

    balls: Tensor
    points: Tensor
    selected_centres: Tensor
    selected_points: Tensor

    def share_of_points_inside(self) -> Tensor:
        """Share of the selected points that lie in a selected ball, (selections,)."""
        return _share(self.balls > 0, self.selected_points)

    def share_of_balls_used(self) -> Tensor:
        """Share of the selected balls that hold a selected point, (selections,)."""
        return _share(self.points > 0, self.selected_centres)

    def balls_per_point(self) -> Tensor:
        """Mean number of selected balls around a selected point, (selections,)."""
        return _share(self.balls, self.selected_points)


@dataclass(frozen=True)
class Side:
    """Points and who of them is in each half.

    Attributes:
        points: (n, d).
        halves: bool (halves, n).
        ranks: neighbours that set the radii of the balls around the points; each below n.
    """

    points: Tensor
    halves: Tensor
    ranks: Sequence[int]


def count_in_balls(
    one: Side, other: Side, *, shift: Tensor | None = None, closed: bool = True
) -> tuple[dict[int, BallCounts], dict[int, BallCounts]]:
    """Count the points of each side in the balls around those of the other, for all points and for each half.

    The radius of a ball is the distance to the `rank`-th other point of its own side. Every distance is computed
    once. Where several processes run, each takes a share of the tiles.

    Args:
        one, other: the two sides.
        shift: taken off every point, (d,).
        closed: whether a point at the very radius is inside.

    Returns:
        For the balls around `one`, then for those around `other`, the counts for each rank. Memory grows with the
        number of points.
    """
    sides = (one, other)
    radii = [_radii(side, shift, closed=closed) for side in sides]
    members = [_with_everyone(side.halves) for side in sides]
    counts: list[dict[int, BallCounts]] = [
        {rank: BallCounts(torch.zeros_like(inside), torch.zeros_like(around), around, inside) for rank in radii[place]}
        for place, (around, inside) in enumerate((members, reversed(members)))
    ]
    norms = squared_norms(other.points, shift)
    tiles = ((rows, columns) for rows in tile_slices(len(one.points)) for columns in tile_slices(len(other.points)))
    for rows, columns in collective.shared(tiles):
        distances = squared_distances(
            moved(one.points[rows], shift), moved(other.points[columns], shift), norms[columns]
        )
        for rank, radius in radii[0].items():
            _add_tile(counts[0][rank], distances, radius[rows], rows, columns)
        for rank, radius in radii[1].items():
            _add_tile(counts[1][rank], distances.T, radius[columns], columns, rows)
    for count in (*counts[0].values(), *counts[1].values()):
        collective.total(count.balls)
        collective.total(count.points)
    return counts[0], counts[1]


def _add_tile(counts: BallCounts, distances: Tensor, radii: Tensor, centres: slice, points: slice) -> None:
    full, widest = radii[:, 0], radii.amax(dim=1)
    inside = distances <= full[:, None]
    certain = inside.float()
    members, others = counts.selected_centres[centres], counts.selected_points[points]
    counts.balls[points].addmm_(certain.T, members)
    counts.points[centres].addmm_(certain, others)
    if radii.shape[1] == 1:
        return
    rows, columns = (inside.logical_not_() & (distances <= widest[:, None])).nonzero(as_tuple=True)
    for row, column in zip(torch.split(rows, PAIRS), torch.split(columns, PAIRS), strict=True):
        within = (distances[row, column][:, None] <= radii[row]).float()
        counts.balls[points].index_add_(0, column, within * members[row])
        counts.points[centres].index_add_(0, row, within * others[column])


def _radii(side: Side, shift: Tensor | None, *, closed: bool) -> dict[int, Tensor]:
    """Squared radii of all balls for each rank, (n, 1 + halves); of open balls, the largest number below."""
    ranks, halves = sorted(set(side.ranks)), side.halves
    if not ranks:
        return {}
    length = ranks[-1] if len(halves) == 0 else min(max(LIST, 6 * ranks[-1]), len(side.points) - 1)
    distances, neighbours = neighbour_lists(side.points, length, shift)
    radii = {rank: [distances[:, rank - 1]] for rank in ranks}
    for half in halves:
        reached = half[neighbours].cumsum(dim=1, dtype=torch.int16)
        for rank in ranks:
            # How many places of the list come before the one at which the rank is reached.
            place = (reached < rank).sum(dim=1).clamp_max(length - 1)
            radii[rank].append(distances.gather(1, place[:, None])[:, 0])
    stacked = {rank: torch.stack(found, dim=1) for rank, found in radii.items()}
    if closed:
        return stacked
    return {rank: torch.nextafter(found, torch.full_like(found, -1)) for rank, found in stacked.items()}


def _with_everyone(halves: Tensor) -> Tensor:
    everyone = torch.ones(halves.shape[1], 1, device=halves.device)
    return torch.cat([everyone, halves.T.float()], dim=1)


def _share(values: Tensor, selected: Tensor) -> Tensor:
    return (values * selected).sum(dim=0, dtype=torch.float64) / selected.sum(dim=0, dtype=torch.float64)
