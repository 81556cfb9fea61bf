"""Vendi Score: how many different samples there are in effect.

The exponential of the entropy of the eigenvalues of `K / n`, K the cosine similarities of the fakes' features (Friedman
and Dieng, 2023, arXiv 2210.02410): 1 where all point the same way, n where each is orthogonal to all others. It looks
at the fakes alone, so it rewards noise. It grows with the number of samples: biased downward.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics.feature_bank import FeatureBank, features_of
from gandiag.statistics.pairing import influence_pairing


def vendi(
    *,
    fake: FeatureBank | Tensor,
    real: FeatureBank | Tensor | None = None,
    rng: np.random.Generator | None = None,
    order: float = 1.0,
) -> dict[str, Score]:
    """Effective number of different directions among features, higher is better, from 1 to min(n, d).

    Args:
        fake: features (n, d), of any length.
        real: not used; the score looks at one side.
        rng: not used; nothing is drawn.
        order: of Renyi's entropy, above 0; 1 is Shannon's. Small orders count what is rare, `inf` only the largest
            eigenvalue.

    Returns:
        `vendi`, for the expectation at this number of samples. Its error is the influence of a sample on the entropy,
        `-x' log(R) x - H` for order 1, with R the second moment of the directions.

    Raises:
        InputError: the bank holds no features, or values that are not finite.
    """
    features = features_of(fake).double()
    count, width = features.shape
    params = {"order": order if math.isfinite(order) else "inf"}
    lengths = features.norm(dim=1, keepdim=True)
    reason = None
    if count < 1:
        reason = "there are no samples"
    elif not order > 0:
        reason = f"the order of an entropy is above 0, not {order}"
    elif not bool((lengths > 0).all()):
        reason = f"{int((lengths == 0).sum())} samples have features of length 0, which point nowhere"
    if reason is not None:
        return {"vendi": undefined(reason, better="higher", n_real=None, n_fake=count, params=params)}
    eigenvalues, shares = _spectrum(features / lengths)
    entropy, influence = _entropy(eigenvalues, shares, order)
    value = math.exp(entropy)
    limits = (1.0, float(min(count, width)))
    value = min(max(value, limits[0]), limits[1])
    enough = count > 1
    few = f"{count} samples do not fill {width} dimensions: the score is limited by their number"
    return {
        "vendi": measured(
            value,
            stderr=value * math.sqrt(float(influence.var()) / count) if enough else None,
            error_method="influence" if enough else "none: one sample has no spread",
            better="higher",
            n_real=None,
            n_fake=count,
            limits=limits,
            unreliable=few if count <= width else None,
            params=params,
            details={
                "dimension": width,
                "largest_share": float(eigenvalues.max()),
                **influence_pairing(fake=(value * influence).cpu().numpy(), n_fake=count),
            },
        )
    }


def _spectrum(directions: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (k,) of the second moment of unit rows (n, d), and the share of each row in each, (n, k).

    The Gram matrix of the rows and their second moment have the same eigenvalues but zeros: the smaller one is solved.
    The shares are `(v_k' x_i)^2`, and sum to 1 over k.
    """
    count, width = directions.shape
    if count <= width:
        values, vectors = torch.linalg.eigh(directions @ directions.T / count)
        values = values.clamp_min(0)
        return values, vectors.square() * values * count
    values, vectors = torch.linalg.eigh(directions.T @ directions / count)
    return values.clamp_min(0), (directions @ vectors).square_()


def _entropy(eigenvalues: Tensor, shares: Tensor, order: float) -> tuple[float, Tensor]:
    """Renyi's entropy in nats, and the influence of each row on it."""
    # What rounding leaves of a zero is no eigenvalue, and small orders would count it as one.
    floor = eigenvalues.max() * len(eigenvalues) * torch.finfo(eigenvalues.dtype).eps
    present = eigenvalues > floor
    values, shares = eigenvalues[present], shares[:, present]
    values = values / values.sum()
    if order == 1:
        logs = values.log()
        return -float(values @ logs), -(shares @ logs)
    if math.isinf(order):
        return -float(values[-1].log()), -shares[:, -1] / values[-1]
    total = values.pow(order).sum()
    return float(total.log()) / (1 - order), order / (1 - order) * (shares @ values.pow(order - 1)) / total


METRIC = Metric(
    compute=vendi,
    scores={"vendi": "higher"},
    heads=frozenset({"features"}),
    real_heads=frozenset(),
    minimum_samples=1,
    maximum_samples=10_000,
)
