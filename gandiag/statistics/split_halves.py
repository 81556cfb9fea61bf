"""The variance of a score from random splits into two halves, right where the score is degenerate too.

Near its smallest value a distance has no part of first order in the samples: it is a sum of squares. Then the spread
among halves is three times the variance of the whole. Two complementary halves tell the parts apart. Half of their
difference varies as the parts of first order, and by twice those of second order. In their mean the first order
cancels, and it varies as the second order alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gandiag.statistics.half_sampling import random_halves
from gandiag.statistics.intervals import student_factor


@dataclass(frozen=True)
class SplitVariance:
    """Variance of the whole, and the factor by which few splits widen an interval.

    Attributes:
        first: variance of first order of the score of all samples; noise may bring it below 0.
        second: variance of second order.
        mean: of the halves' scores: what half as many samples score.
        factor: of Student's t over the normal.
    """

    first: float
    second: float
    mean: float
    factor: float


def split_variance(halves: npt.NDArray[np.float64]) -> SplitVariance:
    """Variance from the scores of both halves of each split, (splits, 2), 2 or more splits."""
    difference = float(np.mean(((halves[:, 0] - halves[:, 1]) / 2) ** 2))
    second = float(halves.mean(axis=1).var(ddof=1))
    return SplitVariance(
        first=difference - 2 * second,
        second=second,
        mean=float(halves.mean()),
        factor=student_factor(len(halves)),
    )


def paired_halves(
    n_real: int, n_fake: int, splits: int, rng: np.random.Generator, *, alike: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """For each half of each split, the indices of its real and of its fake samples; `alike` halves copies alike."""
    in_real = random_halves(n_real, splits, rng)
    in_fake = in_real if alike else random_halves(n_fake, splits, rng)
    for mask_real, mask_fake in zip(in_real, in_fake, strict=True):
        yield mask_real.nonzero().flatten(), mask_fake.nonzero().flatten()
        yield (~mask_real).nonzero().flatten(), (~mask_fake).nonzero().flatten()


def same_rows(one: Tensor, other: Tensor) -> bool:
    """Whether both sides hold the same rows in the same order."""
    return one.shape == other.shape and torch.equal(one, other)
