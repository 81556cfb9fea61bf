"""Frechet distance of features that keep the position in the image, so that where things are counts too.

The first seven channels of a middle layer of the Inception network, 17 x 17 each: 2,023 features in place of the
pooled ones, which forget positions (Nash et al., 2021, arXiv 2103.03841). All else is as in `fid`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gandiag.core.errors import InputError
from gandiag.core.score import Score
from gandiag.metrics._metric import Metric
from gandiag.metrics.fid import SHOWN, fid
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.grouped_moments import GroupedMoments


def sfid(
    *,
    real: FeatureBank,
    fake: FeatureBank,
    rng: np.random.Generator | None = None,
    unbiased: bool = True,
    shown: int = SHOWN,
) -> dict[str, Score]:
    """Frechet distance of spatial features, lower is better, 0 for equal distributions.

    Args:
        real: a bank with spatial moments.
        fake: a bank with spatial moments.
        rng: not used.
        unbiased: divide covariances by N - 1, as the score's owner does; by N where false.
        shown: as in `fid`.

    Returns:
        `sfid`, biased upward by about c / N; the error bar is that of `fid`. `details.sfid_infinity` is the value
        without that bias, where there is one.

    Raises:
        InputError: a side holds no spatial moments, or the dimensions differ.
    """
    scores = fid(real=_spatial(real), fake=_spatial(fake), rng=rng, unbiased=unbiased, shown=shown)
    plain, infinite = scores["fid"], scores["fid_infinity"]
    return {"sfid": replace(plain, details={**plain.details, "sfid_infinity": infinite.value})}


def _spatial(side: FeatureBank) -> GroupedMoments:
    if side.spatial_moments is None:
        raise InputError("sfid needs features that keep their position, and the bank holds none")
    return side.spatial_moments


METRIC = Metric(
    compute=sfid,
    scores={"sfid": "lower"},
    heads=frozenset({"spatial_moments"}),
    minimum_samples=2,
    images_only=True,
)
