"""Classifier two-sample test: how often a classifier tells a fake from a real sample.

A classifier learns from a random half of both sides and its accuracy is measured on the other half (Lopez-Paz and
Oquab, 2017, arXiv 1610.06545): 0.5 where they cannot be told apart, 1 where they always can. A logistic regression on
features, which sees differences along lines; nearest neighbours, which see others, stand in the details.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.metrics._pair import feature_pair
from gandiag.statistics.content_order import content_order
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.logistic import fit_logistic
from gandiag.statistics.neighbours import blocks, distance_type, squared_distances

PENALTY = 0.1
MINIMUM = 8  # samples a side: four to learn from, four to test


def c2st(
    *,
    real: FeatureBank | Tensor,
    fake: FeatureBank | Tensor,
    rng: np.random.Generator | None = None,
    penalty: float = PENALTY,
) -> dict[str, Score]:
    """Accuracy of a classifier that tells fakes from real samples, lower is better, 0.5 is ideal.

    Args:
        real: features (n_real, d).
        fake: features (n_fake, d); both sides take part with the same number of samples, that of the smaller.
        rng: draws the halves; a fixed one where none is given.
        penalty: of the logistic regression on standardised features.

    Returns:
        `c2st`: the share of test samples told right, with Clopper and Pearson's exact interval, for the classifier
        that these halves taught. A better classifier could find more: the score is a lower bound on what can be told
        apart. `p_value` in the details is the exact one-sided binomial test of 0.5.

    Raises:
        InputError: a side holds no features, or values that are not finite, or the dimensions differ.
    """
    real_features, fake_features = feature_pair(real=real, fake=fake)
    n_real, n_fake = len(real_features), len(fake_features)
    smallest, params = min(n_real, n_fake), {"penalty": penalty}
    if smallest < MINIMUM or not penalty > 0:
        reason = f"{smallest} samples cannot teach and test; {MINIMUM} or more a side are needed"
        reason = reason if penalty > 0 else f"the penalty must be above 0, not {penalty}"
        return {"c2st": undefined(reason, better="lower", n_real=n_real, n_fake=n_fake, params=params)}
    rng = rng or seeds.generator(0, "c2st")
    key = rng.bytes(16)
    real_rows, fake_rows = (side[content_order(side, key)[:smallest]] for side in (real_features, fake_features))
    half = smallest // 2
    learned, tested = (torch.cat([real_rows[part], fake_rows[part]]) for part in (slice(half), slice(half, None)))
    learned, tested = _standardised(learned, tested)
    is_fake_learned, is_fake_tested = _fakes(half, learned.device), _fakes(smallest - half, tested.device)
    classifier = fit_logistic(learned, is_fake_learned, penalty)
    right = int(((classifier.logits(tested) > 0) == is_fake_tested).sum())
    count = len(tested)
    accuracy = right / count
    neighbours = math.isqrt(half) // 2 * 2 + 1  # odd, so that no vote is drawn
    told = _neighbour_votes(learned, is_fake_learned, tested, min(neighbours, 2 * half - 1))
    return {
        "c2st": measured(
            accuracy,
            stderr=math.sqrt(accuracy * (1 - accuracy) / count),
            interval=_exact_interval(right, count),
            error_method="Clopper-Pearson",
            better="lower",
            n_real=n_real,
            n_fake=n_fake,
            limits=(0.0, 1.0),
            params=params,
            details={
                "classifier": "logistic regression",
                "n_tested": count,
                "p_value": _p_value(right, count),
                "neighbours": _report(int((told == is_fake_tested).sum()), count, neighbours),
            },
        )
    }


def _standardised(learned: Tensor, tested: Tensor) -> tuple[Tensor, Tensor]:
    """Both with the mean and the deviation of the first; a dimension without any becomes 0 in both."""
    dtype = distance_type(learned)
    mean, deviation = learned.double().mean(dim=0), learned.double().std(dim=0)
    varies = (learned != learned[0]).any(dim=0) & (deviation > 0)
    scale = torch.where(varies, 1 / torch.where(varies, deviation, 1), 0)
    one, other = (((rows.double() - mean) * scale).to(dtype) for rows in (learned, tested))
    return one, other


def _fakes(count: int, device: torch.device) -> Tensor:
    """Which of `count` real rows and as many fakes are fakes."""
    return torch.arange(2 * count, device=device) >= count


def _neighbour_votes(learned: Tensor, is_fake: Tensor, tested: Tensor, count: int) -> Tensor:
    """Whether most of the nearest learned rows of each tested row are fakes."""
    norms = learned.square().sum(dim=1)
    votes = []
    for block in blocks(len(tested), len(learned)):
        nearest = squared_distances(tested[block], learned, norms).topk(count, dim=1, largest=False).indices
        votes.append(is_fake[nearest].sum(dim=1) * 2 > count)
    return torch.cat(votes)


def _report(right: int, count: int, neighbours: int) -> dict[str, Any]:
    return {
        "k": neighbours,
        "accuracy": right / count,
        "ci95": list(_exact_interval(right, count)),
        "p_value": _p_value(right, count),
    }


def _exact_interval(right: int, count: int) -> tuple[float, float]:
    """Clopper and Pearson's 95% interval for a share."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, right, count - right + 1)) if right > 0 else 0.0
    high = float(beta.ppf(0.975, right + 1, count - right)) if right < count else 1.0
    return low, high


def _p_value(right: int, count: int) -> float:
    """Probability of as many right answers or more by guessing."""
    from scipy.stats import binom

    return float(binom.sf(right - 1, count, 0.5))


METRIC = Metric(
    compute=c2st,
    scores={"c2st": "lower"},
    heads=frozenset({"features"}),
    minimum_samples=MINIMUM,
    maximum_samples=10_000,
    version=2,
)
