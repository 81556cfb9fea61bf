"""k-means: seeds far from each other (Arthur and Vassilvitskii, 2007), then Lloyd's iterations."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gandiag.statistics.neighbours import blocks, squared_distances

ITERATIONS = 100


def fit_centres(points: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """Centres (k, d) of points (n, d): `count` of them, fewer where the points have fewer distinct values."""
    centres = _seeds(points, count, rng)
    nearest = assign(points, centres)
    for _ in range(ITERATIONS):
        sums = torch.zeros(centres.shape, dtype=torch.float64, device=points.device)
        sums.index_add_(0, nearest, points.double())
        sizes = torch.bincount(nearest, minlength=len(centres))
        # A centre that lost all of its points stays where it is.
        moved = (sums / sizes.clamp_min(1)[:, None]).to(points.dtype)
        centres = torch.where((sizes > 0)[:, None], moved, centres)
        before, nearest = nearest, assign(points, centres)
        if torch.equal(before, nearest):
            break
    return centres


def assign(points: Tensor, centres: Tensor) -> Tensor:
    """Index of the nearest centre of each point, int64 (n,); the first of several."""
    norms = centres.square().sum(dim=1)
    parts = [
        squared_distances(points[block], centres, norms).argmin(dim=1) for block in blocks(len(points), len(centres))
    ]
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64, device=points.device)


def _seeds(points: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """Points drawn one by one, each with a probability that grows with its squared distance from those before."""
    norms = points.square().sum(dim=1)
    chosen = [int(rng.integers(len(points)))]
    distance = torch.full((len(points),), torch.inf, dtype=points.dtype, device=points.device)
    while len(chosen) < count:
        last = points[chosen[-1:]]
        distance = torch.minimum(distance, squared_distances(last, points, norms)[0])
        cumulative = distance.double().cumsum(dim=0).cpu().numpy()
        if cumulative[-1] <= 0:
            break
        drawn = np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")
        chosen.append(int(min(drawn, len(points) - 1)))
    return points[chosen]
