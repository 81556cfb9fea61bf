"""Exact nearest neighbours of one set in another, in blocks: memory grows with the number of samples.

Candidates come from the expansion `|x|^2 + |y|^2 - 2 x'y`, whose rounding hides small distances; the distances of the
candidates are then taken by differences in float64. Where rounding could have hidden a nearer one, the search is
repeated in float64. Copies are at distance 0, and nothing else is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gandiag.statistics.neighbours import blocks, centred_pair, squared_distances

SPARE = 3  # candidates beyond those wanted
SPARE_AGAIN = 29  # the same in float64
DIFFERENCES = 2**22  # numbers held at once, 32 MB in float64


def nearest_neighbours(
    points: Tensor, targets: Tensor, count: int = 1, *, themselves: bool = False
) -> tuple[Tensor, Tensor]:
    """The `count` nearest targets of each point.

    Args:
        points: (n, d).
        targets: (m, d).
        count: at most m, or m - 1 where a set is searched for its own neighbours.
        themselves: whether the points are the targets, and none is its own neighbour.

    Returns:
        Euclidean distances (n, count), float64, ascending, and indices (n, count); of targets at one distance the
        first comes first.
    """
    own = torch.arange(len(points), device=points.device) if themselves else None
    centred_targets, centred_points = centred_pair(real=targets, fake=points)
    distances, indices, certain = _search(points, targets, centred_points, centred_targets, count, own, SPARE)
    again = (~certain).nonzero()[:, 0]
    if len(again):
        own_again = None if own is None else own[again]
        wide_targets, wide_points = centred_pair(real=targets.double(), fake=points.double())
        found = _search(points[again], targets, wide_points[again], wide_targets, count, own_again, SPARE_AGAIN)
        distances[again], indices[again] = found[0], found[1]
    return distances, indices


def _search(
    points: Tensor,
    targets: Tensor,
    centred_points: Tensor,
    centred_targets: Tensor,
    count: int,
    own: Tensor | None,
    spare: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Distances, indices, and whether no other target can be nearer than those found."""
    norms = centred_targets.square().sum(dim=1)
    available = len(targets) - (own is not None)
    kept = min(count + spare, available)
    rounding = (4 + targets.shape[1] ** 0.5 / 4) * torch.finfo(centred_points.dtype).eps
    widest = float(norms.max()) if len(norms) else 0.0
    distances = torch.empty(len(points), count, dtype=torch.float64, device=points.device)
    indices = torch.empty(len(points), count, dtype=torch.int64, device=points.device)
    certain = torch.empty(len(points), dtype=torch.bool, device=points.device)
    for block in blocks(len(points), len(targets)):
        rows = centred_points[block]
        rough = squared_distances(rows, centred_targets, norms)
        if own is not None:
            rough[torch.arange(len(rows), device=rough.device), own[block]] = torch.inf
        edge, candidates = rough.topk(kept, dim=1, largest=False)
        candidates = candidates.sort(dim=1).values
        exact, order = _by_differences(points[block], targets, candidates).sort(dim=1, stable=True)
        distances[block] = exact[:, :count]
        indices[block] = candidates.gather(1, order[:, :count])
        # Who is no candidate is at the edge or beyond it, to rounding.
        farthest = edge.amax(dim=1).double() - rounding * (rows.square().sum(dim=1).double() + widest)
        last = exact[:, count - 1]
        certain[block] = (last.square() <= farthest) | (last == 0) | (kept == available)
    return distances, indices, certain


def _by_differences(points: Tensor, targets: Tensor, candidates: Tensor) -> Tensor:
    step = max(1, DIFFERENCES // (candidates.shape[1] * max(points.shape[1], 1)))
    found = [
        (targets[index].double() - rows.double()[:, None]).square().sum(dim=2).sqrt()
        for rows, index in zip(torch.split(points, step), torch.split(candidates, step), strict=True)
    ]
    return torch.cat(found)
