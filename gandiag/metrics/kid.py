"""Kernel Inception Distance: the maximum mean discrepancy of features under a cubic kernel, without bias.

`E k(r, r') + E k(f, f') - 2 E k(r, f)` with `k(x, y) = (x'y / d + 1)^3` (Binkowski et al., 2018, arXiv 1801.01401). It
compares all moments up to the third. The estimate takes every pair of different samples and is unbiased at every N; it
is below 0 for about half of the draws of equal distributions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from gandiag.core.errors import UsageError, shown
from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.metrics._pair import feature_pair
from gandiag.statistics.discrepancy_error import distance_error
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.kernels import discrepancy, polynomial_kernel
from gandiag.statistics.pairing import influence_pairing

ESTIMATORS = ("all", "subsets")
SUBSETS = 100
SUBSET_SIZE = 1000
SUBSET_SEED = 2020  # torch-fidelity's, so that the mean over subsets is the same number


def kid(
    *,
    real: FeatureBank | Tensor,
    fake: FeatureBank | Tensor,
    rng: np.random.Generator | None = None,
    subsets: int = SUBSETS,
    subset_size: int = SUBSET_SIZE,
    estimator: str = "all",
) -> dict[str, Score]:
    """Squared maximum mean discrepancy of features under the cubic kernel, lower is better, 0 for equal distributions.

    Args:
        real: features (n_real, d).
        fake: features (n_fake, d).
        rng: not used; the subsets are torch-fidelity's, with the seed 2020.
        subsets: random subsets whose mean and spread the literature reports; 0 for none.
        subset_size: samples a side in each.
        estimator: `all` pairs, or the mean over the `subsets`, as most tools have it.

    Returns:
        `kid`: the unbiased estimate over all pairs of samples that are independent of each other; a set against its
        own copy is below 0. The standard error is that of a U-statistic, the parts of first and second order, so that
        it holds for equal distributions too. `subset_mean` and `subset_std` in the details are the literature's
        numbers; the spread is that of one overlapping subset, not an error of the mean.

    Raises:
        InputError: a side holds no features, or values that are not finite, or the dimensions differ.
        UsageError: no such estimator.
    """
    if estimator not in ESTIMATORS:
        raise UsageError(f"the estimator {shown(estimator)} is not known; expected {' or '.join(ESTIMATORS)}")
    real_features, fake_features = feature_pair(real=real, fake=fake)
    n_real, n_fake = len(real_features), len(fake_features)
    smallest = min(n_real, n_fake)
    params = {"estimator": estimator, "subsets": subsets, "subset_size": subset_size}
    least = max(2, subset_size) if estimator == "subsets" else 2
    if smallest < least or (estimator == "subsets" and subsets < 1):
        what = "a subset needs" if least > 2 else "pairs of samples need"
        reason = f"{what} {least} or more a side, not {smallest}"
        return {"kid": undefined(reason, better="lower", n_real=n_real, n_fake=n_fake, params=params)}
    in_real = in_fake = None
    if 2 <= subset_size <= smallest and subsets > 0:
        in_real, in_fake = _subsets(n_real, n_fake, subsets, subset_size)
    dtype = torch.promote_types(real_features.dtype, torch.float32)
    found = discrepancy(
        real=real_features.to(dtype),
        fake=fake_features.to(dtype),
        kernel=polynomial_kernel,
        in_real=in_real,
        in_fake=in_fake,
    )
    error = (
        None if found.variances is None else distance_error(found.value, *found.variances, found.biased - found.value)
    )
    details = _subset_details(found.subsets, subset_size, smallest)
    if found.influence is not None:
        of_real, of_fake = (side.cpu().numpy() for side in found.influence)
        details |= influence_pairing(real=of_real, fake=of_fake, n_real=n_real, n_fake=n_fake)
    # The mean over subsets estimates the same distance from the same samples; its error is at least this.
    value = details["subset_mean"] if estimator == "subsets" else found.value
    moved = value - found.value
    return {
        "kid": measured(
            value,
            stderr=None if error is None else error.stderr,
            interval=None if error is None else (error.interval[0] + moved, error.interval[1] + moved),
            error_method="U-statistic" if error is not None else "none: 4 samples or more a side are needed",
            better="lower",
            n_real=n_real,
            n_fake=n_fake,
            params=params,
            details=details,
        )
    }


def _subsets(n_real: int, n_fake: int, subsets: int, size: int) -> tuple[Tensor, Tensor]:
    """Membership of the subsets, drawn as torch-fidelity does, whose first input are the fakes."""
    rng = np.random.RandomState(SUBSET_SEED)
    in_real = torch.zeros(subsets, n_real, dtype=torch.bool)
    in_fake = torch.zeros(subsets, n_fake, dtype=torch.bool)
    for subset in range(subsets):
        in_fake[subset, torch.from_numpy(rng.permutation(n_fake)[:size])] = True
        in_real[subset, torch.from_numpy(rng.permutation(n_real)[:size])] = True
    return in_real, in_fake


def _subset_details(values: Tensor, size: int, smallest: int) -> dict[str, Any]:
    if len(values):
        return {"subset_mean": float(values.mean()), "subset_std": float(values.std(correction=0))}
    reason = "none were asked for" if 2 <= size <= smallest else f"{smallest} samples hold no subset of {size}"
    return {"subset_mean": None, "subset_std": None, "subset_reason": reason}


METRIC = Metric(
    compute=kid,
    scores={"kid": "lower"},
    heads=frozenset({"features"}),
    minimum_samples=2,
    maximum_samples=10_000,
)
