"""How far raters agree, and how far their answers are worth as many independent ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answered:
    """Answers of which each is a hit or none; there is at least one.

    Attributes:
        hits: 1 or 0 for each answer, (n,).
        raters: who gave it.
        images: what it was given for.
    """

    hits: Vector
    raters: Sequence[str]
    images: Sequence[str]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.hits)

    @property
    def share(self) -> float:
        """Of hits."""
        return float(self.hits.mean())


@dataclass(frozen=True)
class Likeness:
    """What it costs that answers are alike.

    Attributes:
        effect: variance of a statistic over that of as many independent answers, 1 or more: the design effect.
        freedom: degrees of freedom with which it is known.
    """

    effect: float
    freedom: float


def likeness(shares: Sequence[tuple[float, Answered]]) -> Likeness:
    """How alike the answers behind a weighted sum of shares are: those of one rater, and those for one image.

    The variance is clustered both ways: that between raters and that between images, less that of independent
    answers, which is in both (Cameron, Gelbach and Miller, Journal of Business & Economic Statistics, 2011); it is no
    less than any of the three. Its freedom is Satterthwaite's (1946). Where all answers agree, nothing is seen of how
    alike they are, and all answers for one image count as one.
    """
    influence = np.concatenate([weight * (each.hits - each.share) / each.count for weight, each in shares])
    raters = [rater for _, each in shares for rater in each.raters]
    images = [image for _, each in shares for image in each.images]
    alone = float(np.sum(influence**2))
    if alone == 0:
        return Likeness(len(images) / len(set(images)), math.inf)
    by_rater, by_image = _between(influence, raters), _between(influence, images)
    noise = sum(
        variance**2 / (len(set(groups)) - 1)
        for variance, groups in ((by_rater, raters), (by_image, images))
        if variance
    )
    freedom = (by_rater + by_image) ** 2 / noise if noise else math.inf
    return Likeness(max(by_rater + by_image - alone, by_rater, by_image, alone) / alone, max(freedom, 1.0))


def _between(influence: Vector, groups: Sequence[str]) -> float:
    """Variance of the sum of influences that are alike in each group and independent between them."""
    names, members = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return 0.0
    return len(names) / (len(names) - 1) * float(np.sum(np.bincount(members, weights=influence) ** 2))


def fleiss_kappa(ratings: Sequence[tuple[int, int]]) -> float | None:
    """Agreement beyond chance over items (Fleiss 1971): 1 for full, 0 for chance; None where it is not defined.

    Args:
        ratings: for each item, how many raters gave the one and the other answer; items with one rater are left out.
    """
    items = [(one, other) for one, other in ratings if one + other > 1]
    if not items:
        return None
    observed = sum((a * (a - 1) + b * (b - 1)) / ((a + b) * (a + b - 1)) for a, b in items) / len(items)
    total = sum(a + b for a, b in items)
    share = sum(a for a, _ in items) / total
    chance = share**2 + (1 - share) ** 2
    return None if chance == 1 else (observed - chance) / (1 - chance)
