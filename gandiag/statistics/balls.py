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
from gandiag.statistics.neighbours import blocks, neighbour_lists, squared_distances

# Neighbours kept of each point: fewer than 5 of 32 fall into a random half for one point in a hundred thousand.
LIST = 32
PAIRS = 2**18  # pairs looked at together


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


def count_in_balls(
    centres: Tensor,
    points: Tensor,
    ranks: Sequence[int],
    centre_halves: Tensor,
    point_halves: Tensor,
    *,
    closed: bool = True,
) -> dict[int, BallCounts]:
    """Count the points in the balls around the centres, whose radius is the distance to the `rank`-th other centre.

    Args:
        centres: (n, d).
        points: (m, d), moved by the same shift.
        ranks: neighbours that set the radius; each below n.
        centre_halves, point_halves: bool (halves, n) and (halves, m): who is in each half.
        closed: whether a point at the very radius is inside.

    Returns:
        The counts for each rank. Memory grows with n + m. Where several processes run, each takes a share of the
        blocks.
    """
    in_centres, in_points = _with_everyone(centre_halves), _with_everyone(point_halves)
    radii = _radii(centres, sorted(set(ranks)), centre_halves)
    if not closed:  # the largest number below: what is at most that is less than the radius
        radii = {rank: torch.nextafter(radius, torch.full_like(radius, -1)) for rank, radius in radii.items()}
    counts = {
        rank: BallCounts(torch.zeros_like(in_points), torch.zeros_like(in_centres), in_centres, in_points)
        for rank in radii
    }
    norms = points.square().sum(dim=1)
    for block in collective.shared(blocks(len(centres), len(points))):
        distances = squared_distances(centres[block], points, norms)
        for rank, radius in radii.items():
            _add_block(counts[rank], distances, radius[block], block)
    for count in counts.values():
        collective.total(count.balls)
        collective.total(count.points)
    return counts


def _add_block(counts: BallCounts, distances: Tensor, radii: Tensor, block: slice) -> None:
    full, widest = radii[:, 0], radii.amax(dim=1)
    certain = (distances <= full[:, None]).float()
    members = counts.selected_centres[block]
    counts.balls.addmm_(certain.T, members)
    counts.points[block].addmm_(certain, counts.selected_points)
    rows, columns = ((distances > full[:, None]) & (distances <= widest[:, None])).nonzero(as_tuple=True)
    for row, column in zip(torch.split(rows, PAIRS), torch.split(columns, PAIRS), strict=True):
        within = (distances[row, column][:, None] <= radii[row]).float()
        counts.balls.index_add_(0, column, within * members[row])
        counts.points[block].index_add_(0, row, within * counts.selected_points[column])


def _radii(centres: Tensor, ranks: list[int], halves: Tensor) -> dict[int, Tensor]:
    """Squared radii of all balls for each rank, (n, 1 + halves)."""
    length = ranks[-1] if len(halves) == 0 else min(max(LIST, 6 * ranks[-1]), len(centres) - 1)
    distances, neighbours = neighbour_lists(centres, length)
    radii = {rank: [distances[:, rank - 1]] for rank in ranks}
    for half in halves:
        reached = half[neighbours].cumsum(dim=1, dtype=torch.int16)
        for rank in ranks:
            # How many places of the list come before the one at which the rank is reached.
            place = (reached < rank).sum(dim=1).clamp_max(length - 1)
            radii[rank].append(distances.gather(1, place[:, None])[:, 0])
    return {rank: torch.stack(found, dim=1) for rank, found in radii.items()}


def _with_everyone(halves: Tensor) -> Tensor:
    everyone = torch.ones(halves.shape[1], 1, device=halves.device)
    return torch.cat([everyone, halves.T.float()], dim=1)


def _share(values: Tensor, selected: Tensor) -> Tensor:
    return (values * selected).sum(dim=0, dtype=torch.float64) / selected.sum(dim=0, dtype=torch.float64)
