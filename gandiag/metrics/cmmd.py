"""CMMD: the maximum mean discrepancy of unit-norm CLIP embeddings under a Gaussian kernel, without bias.

`1000 (E k(r, r') + E k(f, f') - 2 E k(r, f))` with `k(x, y) = exp(-|x - y|^2 / (2 sigma^2))` and sigma 10 (Jayasumana
et al., 2024, arXiv 2401.09603). Features are scaled to length 1 first. On the unit sphere so wide a kernel is nearly
linear: the score is close to `1000 |m_r - m_f|^2 / sigma^2`, the distance of the mean embeddings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.metrics._pair import feature_pair
from gandiag.statistics.discrepancy_error import distance_error
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.kernels import discrepancy, gaussian_kernel
from gandiag.statistics.pairing import influence_pairing

SIGMA = 10.0
SCALE = 1000.0


def cmmd(
    *,
    real: FeatureBank | Tensor,
    fake: FeatureBank | Tensor,
    rng: np.random.Generator | None = None,
    sigma: float = SIGMA,
    scale: float = SCALE,
) -> dict[str, Score]:
    """Squared maximum mean discrepancy of directions of features, lower is better, 0 for equal distributions.

    Args:
        real: features (n_real, d), of any length.
        fake: features (n_fake, d).
        rng: not used; nothing is drawn.
        sigma: width of the kernel.
        scale: what the discrepancy is multiplied by.

    Returns:
        `cmmd`: the unbiased estimate over all pairs of samples that are independent of each other, below 0 for about
        half of the draws of equal distributions. The standard error is that of a U-statistic, the parts of first and
        second order. `v_statistic` in the details is the original's estimate, biased upward by about c / N.

    Raises:
        InputError: a side holds no features, or values that are not finite, or the dimensions differ.
    """
    real_features, fake_features = feature_pair(real=real, fake=fake)
    n_real, n_fake = len(real_features), len(fake_features)
    smallest = min(n_real, n_fake)
    params = {"sigma": sigma, "scale": scale}
    if smallest < 2:
        reason = f"pairs of samples need 2 or more a side, not {smallest}"
        return {"cmmd": undefined(reason, better="lower", n_real=n_real, n_fake=n_fake, params=params)}
    dtype = torch.promote_types(real_features.dtype, torch.float32)
    real_directions, fake_directions = (
        torch.nn.functional.normalize(side.to(dtype), dim=1) for side in (real_features, fake_features)
    )
    found = discrepancy(real=real_directions, fake=fake_directions, kernel=gaussian_kernel(sigma))
    value = scale * found.value
    error, details = None, dict[str, Any](v_statistic=scale * found.biased)
    if found.influence is not None:
        of_real, of_fake = ((scale * side).cpu().numpy() for side in found.influence)
        details |= influence_pairing(real=of_real, fake=of_fake, n_real=n_real, n_fake=n_fake)
    if found.variances is not None:
        first, second = (scale**2 * variance for variance in found.variances)
        error = distance_error(value, first, second, scale * found.biased - value)
    return {
        "cmmd": measured(
            value,
            stderr=None if error is None else error.stderr,
            interval=None if error is None else error.interval,
            error_method="U-statistic" if error is not None else "none: 4 samples or more a side are needed",
            better="lower",
            n_real=n_real,
            n_fake=n_fake,
            params=params,
            details=details,
        )
    }


METRIC = Metric(
    compute=cmmd,
    scores={"cmmd": "lower"},
    heads=frozenset({"features"}),
    minimum_samples=2,
    maximum_samples=10_000,
    extractor="clip-vit-l-14-336px",
)
