"""Frechet distance between the feature distributions, as measured and without its bias in N.

`fid` is the squared Frechet distance of Gaussians fitted to the features (Heusel et al., 2017, arXiv 1706.08500), with
unbiased covariances in float64. It is biased upward by about c / N. `fid_infinity` removes that term (Chong and
Forsyth, 2020, arXiv 1911.07023) from two points, all samples and halves of them: `2 FID(N) - FID(N / 2)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics.feature_bank import FeatureBank, moments_of
from gandiag.statistics.frechet import (
    frechet_distance_of_grouped,
    influence,
    normal_influence_variance,
    optimal_maps,
)
from gandiag.statistics.grouped_moments import GroupedMoments, grouped_moments
from gandiag.statistics.intervals import distance_interval, student_factor
from gandiag.statistics.pairing import influence_pairing

SHOWN = 32  # worst and best samples in the details


def fid(
    *,
    real: FeatureBank | Tensor | GroupedMoments,
    fake: FeatureBank | Tensor | GroupedMoments,
    rng: np.random.Generator | None = None,
    unbiased: bool = True,
    shown: int = SHOWN,
) -> dict[str, Score]:
    """Frechet distance of features, lower is better, 0 for equal distributions.

    Args:
        real: features (n_real, d), or their moments.
        fake: features (n_fake, d), or their moments.
        rng: not used; the halves are those of the groups of moments, the same every time.
        unbiased: divide covariances by N - 1; by N where false, as StyleGAN does.
        shown: how many of the samples that raise and that lower the distance most are in the details of `fid`.

    Returns:
        `fid`: the distance at these sample counts, biased upward by about c / N; 0 or more. Its error bar is the
        closed-form influence function of the distance, of up to 8,192 samples a side. `details.worst` and
        `details.best` are the samples with the largest and the smallest influence: the change of the distance, times
        N, if there were one more of its like.
        `fid_infinity`: the distance without that bias; slightly negative values are possible near 0.

    Raises:
        InputError: a side holds neither features nor moments, or values not finite, or the dimensions differ.
    """
    real_moments, fake_moments = moments_of(real), moments_of(fake)
    if real_moments.dimension != fake_moments.dimension:
        dimensions = f"real features have {real_moments.dimension} dimensions"
        raise InputError(f"{dimensions} and fake ones {fake_moments.dimension}")
    n_real, n_fake, width = real_moments.count, len(fake_moments), fake_moments.dimension
    smallest = n_fake if n_real is None else min(n_real, n_fake)
    params = {} if unbiased else {"covariance": "divided by N"}

    def unknown(reason: str) -> Score:
        return undefined(reason, better="lower", n_real=n_real, n_fake=n_fake, params=params)

    if smallest < 2:
        none = unknown(f"a covariance needs 2 samples or more a side, not {smallest}")
        return {"fid": none, "fid_infinity": none}
    real_moments, fake_moments = _varying(real_moments, fake_moments)
    varying = fake_moments.dimension
    real_moments, fake_moments = _spanned(real_moments, fake_moments)
    if not unbiased:
        real_moments, fake_moments = real_moments.biased(), fake_moments.biased()
    distance = frechet_distance_of_grouped(real=real_moments, fake=fake_moments)
    spread = _spread(real_moments, fake_moments)
    group_count = min(side.group_count for side in _halvable(real_moments, fake_moments))
    halves = _half_distances(real_moments, fake_moments, group_count)
    plain = measured(
        distance.distance,
        stderr=spread.variance**0.5,
        error_method=spread.method,
        better="lower",
        n_real=n_real,
        n_fake=n_fake,
        limits=(0.0, math.inf),
        unreliable=_too_few(varying, smallest),
        params=params,
        details={
            "dimension": width,
            "constant_dimensions": width - varying,
            "rank_deficient": distance.rank_deficient,
            **_extremes(spread.of_fake, shown),
            **_pairing(spread, halves, n_real=n_real, n_fake=n_fake),
        },
    )
    if group_count < 2:
        return {"fid": plain, "fid_infinity": unknown(f"{smallest} samples are too few to halve; 8 or more a side")}
    infinite = 2 * distance.distance - float(halves.mean())
    # The mean of two complementary halves varies from split to split as the whole would if the distance were 0. Of
    # what varies in proportion to the distance, the influence function knows the rate.
    splits = len(halves)
    at_zero = float(halves.var(ddof=1)) * (1 + 1 / splits) if splits > 1 else spread.variance / 2
    widened = at_zero * student_factor(splits) ** 2 if splits > 1 else at_zero
    slope = spread.variance / distance.distance if distance.distance > 0 else 0.0
    extrapolated = measured(
        infinite,
        stderr=math.sqrt(slope * max(infinite, 0.0) + at_zero),
        interval=distance_interval(infinite, slope, widened),
        error_method=spread.method,
        better="lower",
        n_real=n_real,
        n_fake=n_fake,
        unreliable=_too_few(varying, smallest // 2),
        params={**params, "splits": splits},
        details={
            "half_fid": float(halves.mean()),
            "half_n": smallest // 2,
            **({"freedom": splits - 1} if splits > 1 else {}),  # of the part of the variance that the halves tell
            **_pairing(spread, halves * (1 + 1 / splits) ** 0.5, n_real=n_real, n_fake=n_fake),
        },
    )
    return {"fid": plain, "fid_infinity": extrapolated}


@dataclass(frozen=True)
class _Spread:
    """Variance of the distance to first order, how it was found, and the influence of the first samples of each side.

    Where the real samples are not at hand, `of_real` is None and `rest` their share of the variance.
    """

    variance: float
    method: str
    of_fake: Tensor
    of_real: Tensor | None = None
    rest: float = 0.0


def _spread(real: GroupedMoments, fake: GroupedMoments) -> _Spread:
    to_fake, to_real = optimal_maps(real=real.whole, fake=fake.whole)
    of_fake = influence(fake.rows, own=fake.whole, other=real.whole, optimal_map=to_real)
    if len(fake.rows) > 1:
        variance = float(of_fake.var()) / len(fake)
    else:
        variance = normal_influence_variance(own=fake.whole, other=real.whole, optimal_map=to_real) / len(fake)
    if real.count is None:
        return _Spread(variance, "influence; the reference, whose N is not known, taken as exact", of_fake)
    if len(real.rows) > 1:
        of_real = influence(real.rows, own=real.whole, other=fake.whole, optimal_map=to_fake)
        return _Spread(variance + float(of_real.var()) / real.count, "influence", of_fake, of_real)
    rest = normal_influence_variance(own=real.whole, other=fake.whole, optimal_map=to_fake) / real.count
    method = "influence; that of the reference taken as normal"
    return _Spread(variance + rest, method, of_fake, rest=rest)


def _pairing(spread: _Spread, halves: npt.NDArray[np.float64], *, n_real: int | None, n_fake: int) -> dict[str, Any]:
    """What a comparison with another model's distance from the same real samples needs."""
    of_real = None if spread.of_real is None else spread.of_real.cpu().numpy()
    of_fake = spread.of_fake.cpu().numpy()
    return influence_pairing(real=of_real, fake=of_fake, n_real=n_real, n_fake=n_fake, second=halves, rest=spread.rest)


def _extremes(of_fake: Tensor, shown: int) -> dict[str, Any]:
    """The samples that raise and that lower the distance most, by index."""
    count = min(shown, len(of_fake) // 2)
    order = of_fake.argsort(descending=True, stable=True)

    def listed(indices: Tensor) -> list[dict[str, Any]]:
        return [{"fake": int(index), "influence": float(of_fake[index])} for index in indices]

    return {
        "worst": listed(order[:count]),
        "best": listed(order.flip(0)[:count]),
        "looked_at": len(of_fake),
    }


def _halvable(real: GroupedMoments, fake: GroupedMoments) -> list[GroupedMoments]:
    """The sides to halve: a reference of which only the whole is known stays whole, and keeps its share of the bias."""
    return [fake] if not real.complete and real.group_count == 1 else [real, fake]


def _half_distances(real: GroupedMoments, fake: GroupedMoments, group_count: int) -> npt.NDArray[np.float64]:
    """For each split, the mean distance of its two halves of both sides."""
    means = []
    for split in range(1, group_count):
        real_halves = real.halves(split, group_count) if len(_halvable(real, fake)) == 2 else (real, real)
        pairs = zip(real_halves, fake.halves(split, group_count), strict=True)
        distances = [frechet_distance_of_grouped(real=one, fake=other).distance for one, other in pairs]
        means.append(float(np.mean(distances)))
    return np.array(means)


def _varying(real: GroupedMoments, fake: GroupedMoments) -> tuple[GroupedMoments, GroupedMoments]:
    """Both sides without the dimensions that are the same constant in all samples: they add exactly nothing."""
    if real.lowest is None or real.highest is None or fake.lowest is None or fake.highest is None:
        return real, fake
    varies = (real.lowest != real.highest) | (fake.lowest != fake.highest) | (real.lowest != fake.lowest)
    return real.selected(varies), fake.selected(varies)


def _spanned(real: GroupedMoments, fake: GroupedMoments) -> tuple[GroupedMoments, GroupedMoments]:
    """Both sides in the space that their samples span, where that is smaller: distances there are the same."""
    if not real.complete or not fake.complete or len(real) + len(fake) >= real.dimension:
        return real, fake
    rows = torch.cat([real.rows, fake.rows]).double()
    _, triangle = torch.linalg.qr((rows - rows.mean(dim=0)).T)
    return grouped_moments(triangle.T[: len(real)]), grouped_moments(triangle.T[len(real) :])


def _too_few(dimension: int, count: int) -> str | None:
    if count > dimension:
        return None
    return f"{count} samples do not fill {dimension} dimensions: the covariance lacks full rank and the bias is large"


METRIC = Metric(
    compute=fid,
    scores={"fid": "lower", "fid_infinity": "lower"},
    heads=frozenset({"moments"}),
    minimum_samples=2,
    version=2,
)
