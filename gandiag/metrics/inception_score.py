"""Inception Score: how sure the classifier is of each sample, and how evenly its classes are used.

`exp(E KL(p(y|x) || p(y)))` (Salimans et al., 2016, arXiv 1606.03498), the mean over disjoint splits of a fixed shuffle.
It sees neither the real data nor the variety inside a class.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics.feature_bank import FeatureBank, logits_of
from gandiag.statistics.posterior import entropy, joint_log_posterior, mode_count

ALIASES = ("is",)

SPLITS = 10
SHUFFLE_SEED = 2020  # torch-fidelity's, so that the default value is the same number


def inception_score(
    *,
    fake: FeatureBank | Tensor,
    real: FeatureBank | Tensor | None = None,
    rng: np.random.Generator | None = None,
    splits: int = SPLITS,
    shuffle: bool = True,
) -> dict[str, Score]:
    """Inception Score of class logits, higher is better, from 1 to the number of classes.

    Args:
        fake: logits (n, classes), or (n, groups, classes) whose joint posterior is the product over the groups.
        real: not used; the score looks at one side.
        rng: not used; the shuffle is torch-fidelity's, with the seed 2020.
        splits: disjoint parts whose scores are averaged; each is biased downward for few samples a class.
        shuffle: whether to shuffle before splitting.

    Returns:
        `is`, with the standard error of the delta method: the influence of sample x on `exp(mean KL)` is
        `exp(mean KL) (KL(p(y|x) || p(y)) - mean KL)`. Fewer samples than splits is an undefined score, never NaN.

    Raises:
        InputError: the bank holds no logits, or values that are not finite.
    """
    logits = logits_of(fake)
    count = len(logits)
    classes = mode_count(logits)
    params = {"splits": splits, "shuffle": shuffle}
    if splits < 1 or count < splits:
        reason = f"{count} samples cannot be cut into {splits} splits"
        return {"is": undefined(reason, better="higher", n_real=None, n_fake=count, params=params)}
    if shuffle:
        order = np.random.RandomState(SHUFFLE_SEED).permutation(count)
        logits = logits[torch.from_numpy(order).to(logits.device)]
    scores, variances = [], []
    for split in range(splits):
        part = logits[split * count // splits : (split + 1) * count // splits]
        divergence = _divergence_from_mean(part)
        score = math.exp(float(divergence.mean()))
        scores.append(score)
        if len(part) > 1:
            variances.append(score**2 * float(divergence.var()) / len(part))
    known = len(variances) == splits
    value = float(np.mean(scores))
    few = f"{count // splits} samples a split are fewer than the {classes} classes: the score is biased downward"
    return {
        "is": measured(
            value,
            stderr=math.sqrt(sum(variances)) / splits if known else None,
            error_method="influence" if known else "none: one sample a split has no spread",
            better="higher",
            limits=(1.0, float(classes)),
            n_real=None,
            n_fake=count,
            unreliable=few if count // splits < classes else None,
            params=params,
            details={"classes": classes, "split_std": float(np.std(scores)), "split_scores": scores},
        )
    }


def _divergence_from_mean(logits: Tensor) -> Tensor:
    """KL of each sample's joint posterior from their mean, (n,) in nats; the mean of them is the mutual information."""
    log_posterior = logits.double().log_softmax(dim=2)
    # The joint posterior is a product, so its entropy is the sum of the groups' entropies.
    negative_entropy = -entropy(log_posterior).sum(dim=1)
    mean = torch.zeros(mode_count(logits), dtype=torch.float64, device=logits.device)
    blocks = [joint_log_posterior(block).exp() for block in torch.split(log_posterior, 2048)]
    for block in blocks:
        mean += block.sum(dim=0)
    # A class that no sample has any share of adds nothing: 0 log 0 is 0.
    log_mean = (mean / len(logits)).clamp_min(torch.finfo(torch.float64).tiny).log()
    cross = torch.cat([block @ log_mean for block in blocks])
    return negative_entropy - cross


METRIC = Metric(
    compute=lambda *, real, fake, rng: inception_score(real=real, fake=fake, rng=rng),
    scores={"is": "higher"},
    heads=frozenset({"logits"}),
    real_heads=frozenset(),
    minimum_samples=SPLITS,
)
