"""Precision, recall, density and coverage: how much of each side lies where the other side is.

A sample is inside a set if it is within the k-th neighbour distance of one of its members. `precision` is the share
of fakes inside the real set, `recall` the share of reals inside the fake set, k = 3 (Kynkaanniemi et al., 2019, arXiv
1904.06991). `density` counts for each fake the real balls that hold it, over k; `coverage` is the share of real balls
that hold a fake, k = 5 (Naeem et al., 2020, arXiv 2002.09797). A distance equal to the radius counts as inside.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.score import NORMAL_95, Better, Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.metrics._pair import feature_pair
from gandiag.statistics.balls import Side, count_in_balls
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.half_sampling import random_halves
from gandiag.statistics.intervals import share_interval
from gandiag.statistics.neighbours import common_shift
from gandiag.statistics.pairing import halves_pairing

ALIASES = ("pr", "prdc")

K_PRECISION = 3
K_COVERAGE = 5
HALVES = 40
SCORES: dict[str, Better | None] = {
    "precision": "higher",
    "recall": "higher",
    "density": "higher",
    "coverage": "higher",
}


def precision_recall(
    *,
    real: FeatureBank | Tensor,
    fake: FeatureBank | Tensor,
    rng: np.random.Generator | None = None,
    k_precision: int = K_PRECISION,
    k_coverage: int = K_COVERAGE,
    halves: int = HALVES,
    closed: bool = True,
) -> dict[str, Score]:
    """Precision, recall, density and coverage of features, higher is better for each.

    Args:
        real: features (n_real, d).
        fake: features (n_fake, d).
        rng: draws the halves; a fixed one where none is given.
        k_precision: neighbour that sets the radius for precision and recall.
        k_coverage: the same for density and coverage.
        closed: whether a distance equal to the radius counts as inside.
        halves: random halves of both sides whose spread is the standard error; 0 for no error bars.

    Returns:
        `precision`, `recall`, `coverage` from 0 to 1 and `density` from 0 upward, which is about 1 for equal
        distributions. All depend on the number of samples; the intervals are for their expectation at these numbers.

    Raises:
        InputError: a side holds no features, or values that are not finite, or the dimensions differ.
    """
    real_features, fake_features = feature_pair(real=real, fake=fake)
    n_real, n_fake = len(real_features), len(fake_features)
    smallest, k = min(n_real, n_fake), max(k_precision, k_coverage)
    if smallest <= k:
        reason = f"{smallest} samples have no {k}-th neighbour; {k + 1} or more a side"
        return {
            name: undefined(
                reason,
                better=better,
                n_real=n_real,
                n_fake=n_fake,
                params=_params(name, k_precision, k_coverage, closed),
            )
            for name, better in SCORES.items()
        }
    half_count = halves if smallest // 2 > k else 0
    rng = rng or seeds.generator(0, "precision_recall")
    in_real, in_fake = (random_halves(count, half_count, rng).to(real_features.device) for count in (n_real, n_fake))
    around_real, around_fake = count_in_balls(
        Side(real_features, in_real, (k_precision, k_coverage)),
        Side(fake_features, in_fake, (k_precision,)),
        shift=common_shift(real=real_features, fake=fake_features),
        closed=closed,
    )
    values = {
        "precision": around_real[k_precision].share_of_points_inside(),
        "recall": around_fake[k_precision].share_of_points_inside(),
        "density": around_real[k_coverage].balls_per_point() / k_coverage,
        "coverage": around_real[k_coverage].share_of_balls_used(),
    }
    counted = {"precision": n_fake, "recall": n_real, "coverage": n_real, "density": n_fake}
    method = "half-sampling" if half_count else "none: halves of so few samples have no neighbours"
    return {
        name: measured(
            float(value[0]),
            stderr=float(value[1:].std()) if half_count > 1 else None,
            interval=_interval(name, value, counted[name]) if half_count > 1 else None,
            error_method=method,
            better=SCORES[name],
            n_real=n_real,
            n_fake=n_fake,
            limits=(0.0, math.inf if name == "density" else 1.0),
            params=_params(name, k_precision, k_coverage, closed),
            details={
                "halves": half_count,
                **halves_pairing(value[1:].cpu().numpy()),
            },
        )
        for name, value in values.items()
    }


def _interval(name: str, values: Tensor, count: int) -> tuple[float, float]:
    """The normal interval; at 0 and 1, where all halves agree, a share has at least that of independent samples."""
    value, reach = float(values[0]), NORMAL_95 * float(values[1:].std())
    low, high = (value, value) if name == "density" else share_interval(value, count)
    return min(value - reach, low), max(value + reach, high)


def _params(name: str, k_precision: int, k_coverage: int, closed: bool) -> dict[str, Any]:
    k = k_precision if name in ("precision", "recall") else k_coverage
    return {"k": k} if closed else {"k": k, "closed": False}


METRIC = Metric(
    compute=precision_recall,
    scores=SCORES,
    heads=frozenset({"features"}),
    minimum_samples=K_COVERAGE + 1,
    maximum_samples=10_000,
    version=2,
)
