"""NDB: the share of regions of feature space in which the fakes are too many or too few.

The real samples are cut into K = 100 bins by k-means. A bin differs where the two-proportion z-test at 5% says so:
`z = (p - q) / sqrt(s (1 - s) (1/n + 1/m))`, s the share of both together (Richardson and Weiss, 2018, arXiv
1805.12462). `ndb` is the share of bins that differ, `ndb_jsd` the Jensen-Shannon divergence of both histograms. The
original fits the bins to the real samples that it counts; here they are fitted to one half and count the other.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.score import NORMAL_95, Better, Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.metrics._pair import feature_pair
from gandiag.statistics.content_order import content_order
from gandiag.statistics.discrepancy_error import distance_error
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.intervals import share_interval
from gandiag.statistics.kmeans import assign, fit_centres
from gandiag.statistics.neighbours import centred_pair

Counts = npt.NDArray[np.float64]

BINS = 100
FEW_IN_A_BIN = 10  # expected samples of a side below which the z-test is far from its level
SCORES: dict[str, Better | None] = {"ndb": "lower", "ndb_jsd": "lower"}


def ndb(
    *,
    real: FeatureBank | Tensor,
    fake: FeatureBank | Tensor,
    rng: np.random.Generator | None = None,
    bins: int = BINS,
) -> dict[str, Score]:
    """Share of bins whose frequency differs, and the divergence of the frequencies, lower is better for both.

    Args:
        real: features (n_real, d); one half of them places the bins, the other is counted.
        fake: features (n_fake, d).
        rng: draws the half and the seeds of k-means; a fixed one where none is given.
        bins: regions, 2 or more.

    Returns:
        `ndb`: from 0 to 1, about 0.05 for equal distributions. It is a count of tests that reject: more samples find
        smaller differences. Its interval is Wilson's over the bins. `ndb_jsd`: in nats, from 0 to ln 2, biased upward
        by about (K - 1) (1/n + 1/m) / 8, which `floor` in the details gives. `ndb_same_half` there is the original's
        count, on the real samples that placed the bins.

    Raises:
        InputError: a side holds no features, or values that are not finite, or the dimensions differ.
    """
    real_features, fake_features = feature_pair(real=real, fake=fake)
    n_real, n_fake = len(real_features), len(fake_features)
    params = {"bins": bins}
    if min(n_real // 2, n_fake) < bins or bins < 2:
        reason = (
            f"half of {n_real} real samples and {n_fake} fakes do not fill {bins} bins; one a bin or more is needed"
        )
        reason = reason if bins >= 2 else f"{bins} bins cannot differ; 2 or more are needed"
        return {
            name: undefined(reason, better=better, n_real=n_real, n_fake=n_fake, params=params)
            for name, better in SCORES.items()
        }
    rng = rng or seeds.generator(0, "ndb")
    key = rng.bytes(16)
    # Both sides in an order of their own, so that sums round alike for every order of the samples.
    real_features, fake_features = (side[content_order(side, key)] for side in (real_features, fake_features))
    points_real, points_fake = centred_pair(real=real_features, fake=fake_features)
    fitted, counted = points_real[: n_real // 2], points_real[n_real // 2 :]
    centres = fit_centres(fitted, bins, rng)
    placed, real_counts, fake_counts = (
        torch.bincount(assign(points, centres), minlength=len(centres)).cpu().double().numpy()
        for points in (fitted, counted, points_fake)
    )
    differ = int((np.abs(_z(real_counts, fake_counts)) > NORMAL_95).sum())
    share = differ / bins
    divergence, first, second = _divergence(real_counts, fake_counts)
    floor = (len(centres) - 1) * (1 / len(counted) + 1 / n_fake) / 8
    error = distance_error(divergence - floor, first, second, floor)
    expected = min(len(counted), n_fake) / bins
    few = f"{expected:.3g} samples a bin: the z-test needs {FEW_IN_A_BIN} or more" if expected < FEW_IN_A_BIN else None
    return {
        "ndb": measured(
            share,
            stderr=math.sqrt(share * (1 - share) / bins),
            interval=share_interval(share, bins),
            error_method="Wilson over the bins",
            better="lower",
            n_real=n_real,
            n_fake=n_fake,
            limits=(0.0, 1.0),
            unreliable=few,
            params=params,
            details={
                "differing": differ,
                "used_bins": len(centres),
                "n_counted": len(counted),
                "ndb_same_half": float((np.abs(_z(placed, fake_counts)) > NORMAL_95).sum()) / bins,
            },
        ),
        "ndb_jsd": measured(
            divergence,
            stderr=error.stderr,
            interval=(error.interval[0] + floor, error.interval[1] + floor),
            error_method="influence",
            better="lower",
            n_real=n_real,
            n_fake=n_fake,
            limits=(0.0, math.log(2)),
            unreliable=few,
            params=params,
            details={"floor": floor, "jsd_same_half": _divergence(placed, fake_counts)[0]},
        ),
    }


def _z(one: Counts, other: Counts) -> Counts:
    """The z-score of each bin; 0 where neither side has a sample."""
    n, m = one.sum(), other.sum()
    pooled = (one + other) / (n + m)
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    difference = one / n - other / m
    return np.asarray(np.divide(difference, deviation, out=np.zeros_like(difference), where=deviation > 0))


def _divergence(one: Counts, other: Counts) -> tuple[float, float, float]:
    """Jensen-Shannon divergence in nats, and its variance of first and of second order."""
    n, m = float(one.sum()), float(other.sum())
    used = one + other > 0
    p, q = one[used] / n, other[used] / m
    value, first = 0.0, 0.0
    for share, count in ((p, n), (q, m)):
        # The derivative of the divergence by a share is half of this; a share of 0 adds nothing.
        ratio = np.log(np.where(share > 0, share, 1) / np.where(share > 0, (p + q) / 2, 1))
        value += float(share @ ratio) / 2
        first += float(share @ ratio**2 - (share @ ratio) ** 2) / 4 / count
    # For equal shares 8 times the divergence over (1/n + 1/m) is a chi-squared number with one degree less than bins.
    second = 2 * (len(p) - 1) * ((1 / n + 1 / m) / 8) ** 2
    return max(value, 0.0), first - 2 * second, second


METRIC = Metric(
    compute=ndb,
    scores=SCORES,
    heads=frozenset({"features"}),
    minimum_samples=2 * BINS,
    version=2,
)
