"""MIND: the sliced Wasserstein distance of features, scaled to the size of a Frechet distance.

`3 d` times the mean over M = 1000 random unit directions of the squared Wasserstein distance of the projections (Monge
Inception Distance, Berthet et al., 2026, arXiv 2605.06797). It looks at the whole distribution along each direction,
where FID looks at means and covariances. It is biased upward by about c / N, and c grows with d, not with its square.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.metrics._pair import feature_pair
from gandiag.statistics.content_order import content_order
from gandiag.statistics.discrepancy_error import distance_error
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.sliced import sliced_distances
from gandiag.statistics.split_halves import paired_halves, same_rows, split_variance

PROJECTIONS = 1000
SPLITS = 16
SCALE = 3.0  # of the mean over directions times d: the paper's
DIRECTION_SEED = 2020  # torch-fidelity's, so that the value is the same number
SMALLEST_TO_HALVE = 8


def mind(
    *,
    real: FeatureBank | Tensor,
    fake: FeatureBank | Tensor,
    rng: np.random.Generator | None = None,
    projections: int = PROJECTIONS,
    splits: int = SPLITS,
) -> dict[str, Score]:
    """Sliced Wasserstein distance of features, lower is better, 0 for equal distributions.

    Args:
        real: features (n_real, d).
        fake: features (n_fake, d).
        rng: draws the halves; a fixed one where none is given. The directions are torch-fidelity's, seed 2020.
        projections: directions.
        splits: random splits into two halves whose spread gives the standard error; below 2 for no error bar.

    Returns:
        `mind`, for the expectation at these sample counts, which is above the distance of the distributions by about
        c / N. Where the counts differ, all samples are used. `half` in the details is the score of half as many
        samples, and `extrapolated = 2 mind - half` the score without that bias.

    Raises:
        InputError: a side holds no features, or values that are not finite, or the dimensions differ.
    """
    real_features, fake_features = feature_pair(real=real, fake=fake)
    n_real, n_fake, width = len(real_features), len(fake_features), real_features.shape[1]
    smallest = min(n_real, n_fake)
    params = {"projections": projections}
    if smallest < 1 or projections < 1:
        reason = "there are no samples" if smallest < 1 else "there are no projections"
        return {"mind": undefined(reason, better="lower", n_real=n_real, n_fake=n_fake, params=params)}
    rng = rng or seeds.generator(0, "mind")
    halved = splits > 1 and smallest >= SMALLEST_TO_HALVE
    if halved:
        key = rng.bytes(16)
        real_features, fake_features = (side[content_order(side, key)] for side in (real_features, fake_features))
    dtype = torch.promote_types(real_features.dtype, torch.float32)
    # The same shift of both sides changes nothing but the digits that the projections keep.
    shift = real_features.double().mean(dim=0)
    rows_real, rows_fake = ((side.double() - shift).to(dtype) for side in (real_features, fake_features))
    alike = same_rows(rows_real, rows_fake)
    halves = list(paired_halves(n_real, n_fake, splits, rng, alike=alike)) if halved else []
    distance, of_halves = sliced_distances(
        real=rows_real, fake=rows_fake, directions=_directions(projections, width).to(rows_real), power=2, halves=halves
    )
    scale = SCALE * width
    value = scale * distance
    error = interval = None
    details: dict[str, float] = {}
    if halved:
        spread = split_variance(scale * np.array(of_halves).reshape(splits, 2))
        bias = spread.mean - value
        error = distance_error(value - bias, spread.first, spread.second * (1 + 1 / splits), bias, spread.factor)
        # The error is that of the distance without its bias; the interval is for the expectation, which has it.
        interval = (error.interval[0] + bias, error.interval[1] + bias)
        details = {"half": spread.mean, "half_n": smallest // 2, "extrapolated": value - bias}
    reason = "no splits were asked for" if splits < 2 else f"{SMALLEST_TO_HALVE} samples or more a side are needed"
    return {
        "mind": measured(
            value,
            stderr=None if error is None else error.stderr,
            interval=interval,
            error_method=f"none: {reason}" if error is None else "split halves",
            better="lower",
            n_real=n_real,
            n_fake=n_fake,
            limits=(0.0, float("inf")),
            params=params,
            details={"dimension": width, **details},
        )
    }


def _directions(count: int, width: int) -> Tensor:
    """Unit vectors (count, d), the same as torch-fidelity draws."""
    drawn = torch.randn(count, width, generator=torch.Generator().manual_seed(DIRECTION_SEED))
    return torch.nn.functional.normalize(drawn, dim=1)


METRIC = Metric(
    compute=mind,
    scores={"mind": "lower"},
    heads=frozenset({"features"}),
    minimum_samples=1,
    maximum_samples=10_000,
    version=2,
)
