"""Inception Score: how sure the classifier is of each sample, and how evenly its classes are used.

`exp(E KL(p(y|x) || p(y)))` (Salimans et al., 2016, arXiv 1606.03498), the mean over disjoint splits of a fixed shuffle.
It sees neither the real data nor the variety inside a class.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics.feature_bank import FeatureBank, logit_blocks, logit_shape
from gandiag.statistics.pairing import influence_pairing
from gandiag.statistics.posterior import entropy, joint_log_posterior

ALIASES = ("is",)

SPLITS = 10
BLOCK = 2048  # samples whose posteriors are in memory
SHUFFLE_SEED = 2020  # torch-fidelity's, so that the default value is the same number


def inception_score(
    *,
    fake: FeatureBank | Tensor,
    real: FeatureBank | Tensor | None = None,
    rng: np.random.Generator | None = None,
    splits: int = SPLITS,
    shuffle: bool = True,
    split_size: int | None = None,
) -> dict[str, Score]:
    """Inception Score of class logits, higher is better, from 1 to the number of classes.

    Args:
        fake: logits (n, classes), or (n, groups, classes) whose joint posterior is the product over the groups.
        real: not used; the score looks at one side.
        rng: not used; the shuffle is torch-fidelity's, with the seed 2020.
        splits: disjoint parts whose scores are averaged; each is biased downward for few samples a class.
        shuffle: whether to shuffle before splitting.
        split_size: samples a split, in place of a number of splits; the last split may be shorter.

    Returns:
        `is`, with the standard error of the delta method: the influence of sample x on `exp(mean KL)` is
        `exp(mean KL) (KL(p(y|x) || p(y)) - mean KL)`. Fewer samples than splits is an undefined score, never NaN.

    Raises:
        InputError: the bank holds no logits, or values that are not finite.
    """
    count, groups, each = logit_shape(fake)
    classes = each**groups
    splits = splits if split_size is None else -(-count // split_size)
    params = {"splits": splits, "shuffle": shuffle, **({} if split_size is None else {"split_size": split_size})}
    if splits < 1 or count < splits:
        reason = f"{count} samples cannot be cut into {splits} splits"
        return {"is": undefined(reason, better="higher", n_real=None, n_fake=count, params=params)}
    split_of = _split_of(count, [split * count // splits for split in range(1, splits)], shuffle)
    if split_size is not None:
        split_of = _split_of(count, list(range(split_size, count, split_size)), shuffle)
    divergence = _divergences(fake, split_of, splits, classes)
    scores, variances, influence = [], [], torch.zeros_like(divergence)
    for split in range(splits):
        part = divergence[split_of == split]
        score = math.exp(float(part.mean()))
        scores.append(score)
        influence[split_of == split] = score * (part - part.mean()) * (count / (splits * len(part)))
        if len(part) > 1:
            variances.append(score**2 * float(part.var()) / len(part))
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
            details={
                "classes": classes,
                "split_std": float(np.std(scores)),
                "split_scores": scores,
                **(influence_pairing(fake=influence.numpy(), n_fake=count) if known else {}),
            },
        )
    }


def _split_of(count: int, cuts: list[int], shuffle: bool) -> Tensor:
    """Which split each sample is in, int64 (n,), for cuts at these places of the order."""
    order = np.random.RandomState(SHUFFLE_SEED).permutation(count) if shuffle else np.arange(count)
    split_of = torch.empty(count, dtype=torch.int64)
    split_of[torch.from_numpy(order)] = torch.bucketize(torch.arange(count), torch.tensor(cuts), right=True)
    return split_of


def _divergences(fake: FeatureBank | Tensor, split_of: Tensor, splits: int, classes: int) -> Tensor:
    """KL of each sample's posterior from the mean posterior of its split, float64 (n,).

    The posteriors are computed twice, for the means and for the divergences, so that they are never all in memory.
    """
    means, entropies = torch.zeros(splits, classes, dtype=torch.float64), []
    for log_posterior, part in _posteriors(fake, split_of):
        means = means.to(log_posterior.device)
        means.index_add_(0, part, log_posterior.exp())
        entropies.append(-entropy(log_posterior))
    # A class that no sample has any share of adds nothing: 0 log 0 is 0.
    means = means / torch.bincount(split_of, minlength=splits).to(means.device)[:, None]
    log_means = means.clamp_min(torch.finfo(torch.float64).tiny).log()
    crosses = [
        (log_posterior.exp() * log_means[part]).sum(dim=1) for log_posterior, part in _posteriors(fake, split_of)
    ]
    return (torch.cat(entropies) - torch.cat(crosses)).cpu()


def _posteriors(fake: FeatureBank | Tensor, split_of: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    start = 0
    for logits in logit_blocks(fake):
        for block in torch.split(logits, BLOCK):
            part = split_of[start : start + len(block)].to(block.device)
            start += len(block)
            yield joint_log_posterior(block.double().log_softmax(dim=2)), part


METRIC = Metric(
    compute=inception_score,
    scores={"is": "higher"},
    heads=frozenset({"logits"}),
    real_heads=frozenset(),
    minimum_samples=SPLITS,
)
