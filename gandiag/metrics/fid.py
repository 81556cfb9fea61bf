"""Frechet distance between the feature distributions, as measured and without its bias in N.

`fid` is the squared Frechet distance of Gaussians fitted to the features (Heusel et al., 2017, arXiv 1706.08500), with
unbiased covariances in float64. It is biased upward by about c / N. `fid_infinity` removes that term (Chong and
Forsyth, 2020, arXiv 1911.07023) from two points, all samples and random halves: `2 FID(N) - FID(N / 2)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.errors import InputError
from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics.feature_bank import FeatureBank, features_of
from gandiag.statistics.frechet import frechet_distance, frechet_distance_of_features, frechet_influence
from gandiag.statistics.half_sampling import random_halves
from gandiag.statistics.intervals import distance_interval, student_factor
from gandiag.statistics.moments import moments, without

SPLITS = 16  # random splits into two halves that `fid_infinity` averages over
SPLITS_WIDE = 1  # the same above WIDE dimensions, where each distance costs seconds
WIDE = 512
SMALLEST_TO_HALVE = 8


def fid(
    *, real: FeatureBank | Tensor, fake: FeatureBank | Tensor, rng: np.random.Generator | None = None
) -> dict[str, Score]:
    """Frechet distance of features, lower is better, 0 for equal distributions.

    Args:
        real: features (n_real, d).
        fake: features (n_fake, d).
        rng: draws the halves; a fixed one where none is given.

    Returns:
        `fid`: the distance at these sample counts, biased upward by about c / N; 0 or more. Its error bar is the
        closed-form influence function of the distance.
        `fid_infinity`: the distance without that bias; slightly negative values are possible near 0.

    Raises:
        InputError: a side holds no features, or values that are not finite, or the dimensions differ.
    """
    real_features, fake_features = _same_width(features_of(real), features_of(fake))
    rng = rng or seeds.generator(0, "fid")
    n_real, n_fake, width = len(real_features), len(fake_features), real_features.shape[1]
    smallest = min(n_real, n_fake)
    if smallest < 2:
        reason = f"a covariance needs 2 samples or more a side, not {smallest}"
        none = undefined(reason, better="lower", n_real=n_real, n_fake=n_fake)
        return {"fid": none, "fid_infinity": none}
    real_features, fake_features = _varying(real_features, fake_features)
    dimension = real_features.shape[1]
    distance = frechet_distance_of_features(real=real_features, fake=fake_features)
    variance = _influence_variance(real=real_features, fake=fake_features)
    plain = measured(
        distance.distance,
        stderr=variance**0.5,
        error_method="influence",
        better="lower",
        n_real=n_real,
        n_fake=n_fake,
        limits=(0.0, math.inf),
        unreliable=_too_few(dimension, smallest),
        details={
            "dimension": width,
            "constant_dimensions": width - dimension,
            "rank_deficient": distance.rank_deficient,
        },
    )
    if smallest < SMALLEST_TO_HALVE:
        reason = f"halves of {smallest} samples are too few to extrapolate from; {SMALLEST_TO_HALVE} or more a side"
        return {"fid": plain, "fid_infinity": undefined(reason, better="lower", n_real=n_real, n_fake=n_fake)}
    splits = SPLITS if dimension <= WIDE else SPLITS_WIDE
    halves = _half_distances(real_features, fake_features, splits, rng)
    infinite = 2 * distance.distance - float(halves.mean())
    # The mean of two complementary halves varies from split to split as the whole would if the distance were 0. Of
    # what varies in proportion to the distance, the influence function knows the rate.
    at_zero = float(halves.var(ddof=1)) * (1 + 1 / splits) if splits > 1 else variance / 2
    widened = at_zero * student_factor(splits) ** 2 if splits > 1 else at_zero
    slope = variance / distance.distance if distance.distance > 0 else 0.0
    extrapolated = measured(
        infinite,
        stderr=math.sqrt(slope * max(infinite, 0.0) + at_zero),
        interval=distance_interval(infinite, slope, widened),
        error_method="influence",
        better="lower",
        n_real=n_real,
        n_fake=n_fake,
        unreliable=_too_few(dimension, smallest // 2),
        params={"splits": splits},
        details={"half_fid": float(halves.mean()), "half_n": smallest // 2},
    )
    return {"fid": plain, "fid_infinity": extrapolated}


def _same_width(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    if real.shape[1] != fake.shape[1]:
        raise InputError(f"real features have {real.shape[1]} dimensions and fake ones {fake.shape[1]}")
    return real, fake.to(real.device)


def _varying(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides without the dimensions that are the same constant in all samples: they add exactly nothing."""
    varies = (real != real[0]).any(dim=0) | (fake != real[0]).any(dim=0)
    return real[:, varies], fake[:, varies]


def _influence_variance(*, real: Tensor, fake: Tensor) -> float:
    on_real, on_fake = frechet_influence(real=real, fake=fake)
    return float(on_real.var() / len(real) + on_fake.var() / len(fake))


def _half_distances(real: Tensor, fake: Tensor, splits: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """For each random split, the mean distance of its two halves of both sides."""
    copies = torch.equal(real, fake)
    full_rank = min(len(real), len(fake)) // 2 > real.shape[1]
    distance_of_halves = _halves_of_moments(real, fake) if full_rank else _halves_of_features(real, fake)
    means = []
    for _ in range(splits):
        in_real = random_halves(len(real), 1, rng)[0].to(real.device)
        # Copies of the same samples are halved alike, or their halves would differ where they do not.
        in_fake = in_real if copies else random_halves(len(fake), 1, rng)[0].to(fake.device)
        means.append(float(np.mean(distance_of_halves(in_real, in_fake))))
    return np.array(means)


def _halves_of_moments(real: Tensor, fake: Tensor) -> Callable[[Tensor, Tensor], tuple[float, float]]:
    """Distances of the chosen samples and of the others, whose moments are what the chosen leave of the whole."""
    whole_real, whole_fake = moments(real), moments(fake)

    def distances(in_real: Tensor, in_fake: Tensor) -> tuple[float, float]:
        part_real, part_fake = moments(real[in_real]), moments(fake[in_fake])
        rest_real, rest_fake = without(whole_real, part_real), without(whole_fake, part_fake)
        return (
            frechet_distance(real=part_real, fake=part_fake).distance,
            frechet_distance(real=rest_real, fake=rest_fake).distance,
        )

    return distances


def _halves_of_features(real: Tensor, fake: Tensor) -> Callable[[Tensor, Tensor], tuple[float, float]]:
    """The same for halves that do not fill the dimensions."""

    def distances(in_real: Tensor, in_fake: Tensor) -> tuple[float, float]:
        return (
            frechet_distance_of_features(real=real[in_real], fake=fake[in_fake]).distance,
            frechet_distance_of_features(real=real[~in_real], fake=fake[~in_fake]).distance,
        )

    return distances


def _too_few(dimension: int, count: int) -> str | None:
    if count > dimension:
        return None
    return f"{count} samples do not fill {dimension} dimensions: the covariance lacks full rank and the bias is large"


METRIC = Metric(
    compute=fid,
    scores={"fid": "lower", "fid_infinity": "lower"},
    heads=frozenset({"features"}),
    minimum_samples=2,
)
