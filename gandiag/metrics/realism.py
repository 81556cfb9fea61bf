"""Realism of each sample: how deep inside the real samples it lies, the best and the worst by index.

`max r / |fake - real|` over the real samples, r being the distance of each to its k-th neighbour, k = 3; the half of
them with the largest r is left out (Kynkaanniemi et al., 2019, section 5, arXiv 1904.06991). At 1 or more a fake lies
in a real sample's ball.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.metrics._pair import feature_pair
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.half_sampling import random_halves
from gandiag.statistics.neighbours import blocks, centred_pair, neighbour_lists, squared_distances
from gandiag.statistics.pairing import halves_pairing

K = 3
HALVES = 20
LIST = 32  # neighbours kept of each real sample; fewer than 3 of 32 fall into a half once in ten million
SHOWN = 64
HIGHEST = 1e6  # a copy of a real sample lies infinitely deep


def realism(
    *,
    real: FeatureBank | Tensor,
    fake: FeatureBank | Tensor,
    rng: np.random.Generator | None = None,
    k: int = K,
    halves: int = HALVES,
) -> dict[str, Score]:
    """Median realism of the fakes, higher is better.

    Args:
        real: features (n, d).
        fake: features (m, d).
        rng: draws the halves; a fixed one where none is given.
        k: neighbour that sets a real sample's radius.
        halves: random halves of both sides whose spread is the standard error; 0 for no error bar.

    Returns:
        `realism`: the median, which a few copies of real samples do not move; the share at 1 or more would be the
        precision with fewer balls, and is in the details as `share_inside`. It depends on the number of real samples
        and on the dimension, and is no distance between distributions: a collapsed generator of one good image has a
        high one. `details["worst"]` and `["best"]` are up to 64 fakes with their realism, which is at most a million.

    Raises:
        InputError: a side holds no features, or values that are not finite, or the dimensions differ.
    """
    real_features, fake_features = feature_pair(real=real, fake=fake)
    n_real, n_fake, params = len(real_features), len(fake_features), {"k": k}
    if n_real <= k or n_fake == 0:
        reason = f"{n_real} real samples have no {k}-th neighbour, or there are no fakes"
        return {"realism": undefined(reason, better="higher", n_real=n_real, n_fake=n_fake, params=params)}
    half_count = halves if n_real // 2 > k and n_fake >= 4 else 0
    rng = rng or seeds.generator(0, "realism")
    in_real, in_fake = (random_halves(count, half_count, rng) for count in (n_real, n_fake))
    points_real, points_fake = centred_pair(real=real_features, fake=fake_features)
    radii = _radii(points_real, k, in_real.to(points_real.device))
    rough, nearest = _deepest(points_real, points_fake, radii)
    # The expansion loses the digits of small distances, which the deepest samples have: differences keep them.
    distance = (real_features[nearest].double() - fake_features.double()).square().sum(dim=1).sqrt()
    values = _ratio(radii[nearest, 0].double().sqrt(), distance)
    medians = [
        float(_ratio_median(row[members])) for row, members in zip(rough[1:], in_fake.to(rough.device), strict=True)
    ]
    order = values.argsort(stable=True)
    return {
        "realism": measured(
            float(values.quantile(0.5)),
            stderr=float(np.std(medians, ddof=1)) if half_count > 1 else None,
            error_method="half-sampling" if half_count > 1 else "none: halves of so few samples have no neighbours",
            better="higher",
            limits=(0.0, HIGHEST),
            n_real=n_real,
            n_fake=n_fake,
            params=params,
            details={
                "share_inside": float((values >= 1).double().mean()),
                "worst": _shown(order[:SHOWN], values),
                "best": _shown(order.flip(0)[:SHOWN], values),
                "halves": half_count,
                **halves_pairing(medians),
            },
        )
    }


def _radii(points: Tensor, k: int, halves: Tensor) -> Tensor:
    """Squared radius of each real sample in the whole and in each half, (n, 1 + halves); 0 for those left out."""
    length = min(max(LIST, 6 * k), len(points) - 1) if len(halves) else k
    distances, neighbours = neighbour_lists(points, length)
    columns = [_without_widest(distances[:, k - 1], torch.ones_like(points[:, 0], dtype=torch.bool))]
    for half in halves:
        reached = half[neighbours].cumsum(dim=1, dtype=torch.int16)
        place = (reached < k).sum(dim=1).clamp_max(length - 1)
        columns.append(_without_widest(distances.gather(1, place[:, None])[:, 0], half))
    return torch.stack(columns, dim=1)


def _without_widest(radii: Tensor, members: Tensor) -> Tensor:
    """The radii of the members up to their median; -1 for all others, so that a radius of 0 stays one."""
    return torch.where(members & (radii <= radii[members].median()), radii, -1)


def _deepest(real: Tensor, fake: Tensor, radii: Tensor) -> tuple[Tensor, Tensor]:
    """The largest squared ratio for each fake, (1 + halves, m), and which real sample gives it in the whole, (m,)."""
    norms = fake.square().sum(dim=1)
    best = torch.full((radii.shape[1], len(fake)), -1.0, dtype=real.dtype, device=real.device)
    nearest = torch.zeros(len(fake), dtype=torch.int64, device=real.device)
    used = (radii >= 0).any(dim=1).nonzero()[:, 0]
    for block in blocks(len(used), len(fake)):
        members = used[block]
        distances = squared_distances(real[members], fake, norms)
        inverse = 1 / distances.clamp_min(torch.finfo(distances.dtype).tiny)
        for column in range(radii.shape[1]):
            own = radii[members, column]
            rows = (own >= 0).nonzero()[:, 0]
            if len(rows) == 0:
                continue
            ratio = inverse[rows].mul_(own[rows, None])
            if bool((own[rows] == 0).any()):  # a fake at a radius of 0 is at the very radius
                ratio = torch.where((own[rows, None] == 0) & (distances[rows] == 0), 1.0, ratio)
            found, index = ratio.max(dim=0)
            better = found > best[column]
            best[column] = torch.where(better, found, best[column])
            if column == 0:
                nearest = torch.where(better, members[rows][index], nearest)
    return best, nearest


def _ratio(radius: Tensor, distance: Tensor) -> Tensor:
    ratio = radius / distance.clamp_min(torch.finfo(torch.float64).tiny)
    return torch.where((radius == 0) & (distance == 0), 1.0, ratio.clamp_max(HIGHEST))


def _ratio_median(squared: Tensor) -> Tensor:
    return squared.double().clamp(0, HIGHEST**2).sqrt().quantile(0.5)


def _shown(chosen: Tensor, values: Tensor) -> list[dict[str, float]]:
    return [
        {"fake": index, "realism": value} for index, value in zip(chosen.tolist(), values[chosen].tolist(), strict=True)
    ]


METRIC = Metric(
    compute=realism,
    scores={"realism": "higher"},
    heads=frozenset({"features"}),
    minimum_samples=K + 1,
    maximum_samples=10_000,
    version=2,
)
