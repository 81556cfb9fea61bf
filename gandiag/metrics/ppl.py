"""Perceptual path length: how much the image changes for a small step in the latent space.

Mean of `d(G(z), G(z'))^2 / eps^2` over short steps from z to z', eps = 1e-4 along the path to another latent, the label
held, seen by the extractor (Karras et al., 2019, arXiv 1812.04948). As in StyleGAN, steps below the 1st and above the
99th percentile are left out.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics.feature_bank import FeatureBank

DISCARD = 0.01
SHOWN = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def ppl(
    *,
    fake: FeatureBank | Tensor,
    real: FeatureBank | None = None,
    rng: np.random.Generator | None = None,
    discard: float = DISCARD,
) -> dict[str, Score]:
    """Perceptual path length, lower is smoother, 0 for a generator whose image never changes.

    Args:
        fake: squared distances over squared steps, (n,), as `paths` of a bank or as a tensor.
        real: not used; the score looks at the generator alone.
        rng: not used; nothing is drawn.
        discard: share of the steps left out at each end, the limits being those of `numpy.percentile` with the methods
            `lower` and `higher`; 0 for none.

    Returns:
        `ppl`, with the standard error of a trimmed mean: that of the values drawn in to the limits, over the share
        that is kept. It covers the draw of the latents. There is no bias to speak of; a collapsed generator is perfect.

    Raises:
        InputError: the bank holds no paths.
    """
    paths = fake.paths if isinstance(fake, FeatureBank) else fake
    if paths is None:
        raise InputError("ppl needs steps in the latent space, and the bank holds none: is the source a generator?")
    values = paths.double().sort().values  # sorted, so that the order in which they came rounds no sum
    count = len(values)
    params = {"discard": discard}
    reason = None
    if count < 2:
        reason = f"{count} steps have no mean with an error bar; 2 or more"
    elif not 0 <= discard < 0.5:
        reason = f"{discard} cannot be left out at each end; 0 or more and less than 0.5"
    elif not bool(torch.isfinite(values).all()):
        reason = f"{int((~torch.isfinite(values)).sum())} of {count} steps have no finite length"
    if reason:
        return {"ppl": undefined(reason, better="lower", n_real=None, n_fake=count, params=params)}
    low, high = values[math.floor(discard * (count - 1))], values[math.ceil((1 - discard) * (count - 1))]
    kept = values[(low <= values) & (values <= high)]
    winsorised = values.clamp(low, high)
    quantiles = torch.quantile(values, torch.tensor(SHOWN, dtype=torch.float64, device=values.device))
    return {
        "ppl": measured(
            float(kept.mean()),
            stderr=float(winsorised.std()) / (1 - 2 * discard) / count**0.5,
            error_method="influence",
            better="lower",
            limits=(0.0, math.inf),
            n_real=None,
            n_fake=count,
            params=params,
            details={
                "undiscarded_mean": float(values.mean()),
                "kept": len(kept),
                "quantiles": dict(zip((f"{share:g}" for share in SHOWN), quantiles.tolist(), strict=True)),
            },
        )
    }


METRIC = Metric(
    compute=ppl,
    scores={"ppl": "lower"},
    heads=frozenset({"paths"}),
    real_heads=frozenset(),
    minimum_samples=2,
    version=2,
)
