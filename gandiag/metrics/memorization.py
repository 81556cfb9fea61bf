"""Memorization: how many fakes are copies of training samples, and the nearest training sample of each.

`authenticity`: a fake is authentic if it is farther from its nearest training sample than that one is from its own
nearest (Alaa et al., 2022, arXiv 2102.08921). `copies`: the share of fakes three times nearer to one training sample
than to any other (Yoon et al., 2023; Gu et al., 2023, arXiv 2310.02664), exact copies among them. `mifid`: FID over the
mean least cosine distance of the fakes to the training samples, where that is suspiciously small (Bai et al., 2021,
arXiv 2106.03062).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gandiag.core.score import NORMAL_95, Better, Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.metrics._pair import feature_pair
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.frechet import frechet_distance_of_features, frechet_influence
from gandiag.statistics.intervals import share_interval
from gandiag.statistics.nearest import nearest_neighbours

SMALLEST = 3
THRESHOLD = 0.1  # of the mean cosine distance, below which a generator is punished
EPSILON = 1e-14  # of the contest and of torchmetrics: what a set of copies is divided by
RATIO = 1 / 3
SHOWN = 64
SCORES: dict[str, Better | None] = {"authenticity": "higher", "copies": "lower", "mifid": "lower"}


def memorization(
    *,
    real: FeatureBank | Tensor,
    fake: FeatureBank | Tensor,
    rng: np.random.Generator | None = None,
    threshold: float = THRESHOLD,
    ratio: float = RATIO,
) -> dict[str, Score]:
    """Authenticity, copies and memorization-informed FID of features.

    Args:
        real: features (n, d) of the training samples, all of them if possible: a copy of one that is not here is
            not seen.
        fake: features (m, d).
        rng: not used; nothing is drawn.
        threshold: mean cosine distance from which a generator is not punished.
        ratio: of the distances to the nearest and the second nearest training sample at which a fake is a copy.

    Returns:
        `authenticity`: share of authentic fakes, 0 to 1, higher is better. Fresh real samples have about a half, not 1:
        `details["expected"]` is what the training samples have among themselves. A generator of noise has 1.
        `copies`: share of copies, lower is better; a fake at distance 0 is one always. `details["nearest"]` has the 64
        that are nearest for the space around them: fake, real, distance. `details["expected"]` as above.
        `mifid`: FID / (m + 1e-14) if m < threshold, else FID, with m the mean over the fakes of the least cosine
        distance to a training sample; lower is better. It is biased as FID is, and jumps at the threshold.

    The training samples are what they are: the intervals of the shares cover the draw of the fakes alone, which is all
    that they depend on. The error bar of `mifid` adds the draw of the training samples in FID, and knows no jump.

    Raises:
        InputError: a side holds no features, or values that are not finite, or the dimensions differ.
    """
    train, fakes = feature_pair(real=real, fake=fake)
    n_real, n_fake = len(train), len(fakes)
    if min(n_real, n_fake) < SMALLEST:
        reason = f"{min(n_real, n_fake)} samples are too few; {SMALLEST} or more a side"
        return {name: undefined(reason, better=better, n_real=n_real, n_fake=n_fake) for name, better in SCORES.items()}
    distances, indices = nearest_neighbours(fakes, train, 2)
    own_distances, own_indices = nearest_neighbours(train, train, 2, themselves=True)
    space = own_distances[indices[:, 0], 0]
    authentic = distances[:, 0] > space
    copied = _copies(distances, ratio)
    # A training sample is to the others what a fresh one is to all: not authentic if it is its neighbour's neighbour.
    expected = float((own_indices[own_indices[:, 0], 0] != torch.arange(n_real, device=train.device)).double().mean())
    counts = _Counts(n_real, n_fake)
    return {
        "authenticity": counts.share("authenticity", int(authentic.sum()), {}, {"expected": expected}),
        "copies": counts.share(
            "copies",
            int(copied.sum()),
            {"ratio": ratio},
            {
                "exact": int((distances[:, 0] == 0).sum()),
                "count": int(copied.sum()),
                "expected": float(_copies(own_distances, ratio).double().mean()),
                "nearest": _offenders(distances[:, 0], indices[:, 0], space),
            },
        ),
        "mifid": _mifid(train, fakes, threshold),
    }


def _copies(distances: Tensor, ratio: float) -> Tensor:
    return (distances[:, 0] == 0) | (distances[:, 0] < ratio * distances[:, 1])


@dataclass(frozen=True)
class _Counts:
    n_real: int
    n_fake: int

    def share(self, name: str, count: int, params: dict[str, Any], details: dict[str, Any]) -> Score:
        """A share of the fakes with Wilson's interval: given the training samples they are independent."""
        low, high = share_interval(count / self.n_fake, self.n_fake)
        return measured(
            count / self.n_fake,
            stderr=(high - low) / (2 * NORMAL_95),
            interval=(low, high),
            error_method="Wilson",
            better=SCORES[name],
            n_real=self.n_real,
            n_fake=self.n_fake,
            params=params,
            details=details,
        )


def _offenders(distances: Tensor, indices: Tensor, space: Tensor) -> list[dict[str, float]]:
    """The fakes nearest to a training sample, by the distance over the space that this one has around it."""
    relative = torch.where(distances == 0, 0, distances / space)
    chosen = sorted(range(len(relative)), key=lambda index: (float(relative[index]), index))[:SHOWN]
    shown = [{"fake": index, "real": int(indices[index]), "distance": float(distances[index])} for index in chosen]
    return sorted(shown, key=lambda offender: (offender["distance"], offender["fake"]))


def _mifid(train: Tensor, fakes: Tensor, threshold: float) -> Score:
    n_real, n_fake = len(train), len(fakes)
    chords, _ = nearest_neighbours(_on_sphere(fakes), _on_sphere(train), 1)
    cosine = chords[:, 0].square() / 2  # 1 - cos, without the digits that the subtraction would lose
    mean = float(cosine.mean())
    punished = mean < threshold
    penalty = 1 / (mean + EPSILON) if punished else 1.0
    distance = frechet_distance_of_features(real=train, fake=fakes)
    on_real, on_fake = frechet_influence(real=train, fake=fakes)
    on_fake = on_fake * penalty
    if punished:
        on_fake = on_fake - distance.distance * penalty**2 * (cosine - mean)
    variance = float((on_real * penalty).var() / n_real + on_fake.var() / n_fake)
    unreliable = None
    if mean <= EPSILON:
        unreliable = "every fake is a copy: FID is divided by 1e-14, and the size of the number means nothing"
    elif min(n_real, n_fake) <= train.shape[1]:
        unreliable = f"{min(n_real, n_fake)} samples do not fill {train.shape[1]} dimensions: the bias of FID is large"
    return measured(
        distance.distance * penalty,
        stderr=math.sqrt(variance),
        error_method="influence",
        better="lower",
        limits=(0.0, math.inf),
        n_real=n_real,
        n_fake=n_fake,
        unreliable=unreliable,
        params={"threshold": threshold},
        details={"fid": distance.distance, "cosine_distance": mean, "penalty": penalty},
    )


def _on_sphere(rows: Tensor) -> Tensor:
    """Each row over its length; a row of zeros stays, half as far from the others as they can be."""
    lengths = rows.double().square().sum(dim=1, keepdim=True).sqrt()
    return (rows.double() / torch.where(lengths > 0, lengths, 1)).to(rows.dtype)


METRIC = Metric(
    compute=memorization,
    scores=SCORES,
    heads=frozenset({"features"}),
    minimum_samples=SMALLEST,
    maximum_samples=10_000,
)
