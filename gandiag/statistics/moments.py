"""Mean and covariance in float64, centred, merged exactly from parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.core.errors import InputError

CHUNK = 16_384  # rows turned into float64 at a time


@dataclass(frozen=True)
class Moments:
    """Sufficient statistics of a set of features.

    Attributes:
        count: number of samples.
        mean: (d,), float64.
        scatter: (d, d), float64: the sum of outer products of the centred rows.
    """

    count: int
    mean: Tensor
    scatter: Tensor

    @property
    def covariance(self) -> Tensor:
        """Unbiased covariance, divided by `count - 1`.

        Raises:
            InputError: there are fewer than two samples.
        """
        if self.count < 2:
            raise InputError(f"a covariance needs 2 samples or more, not {self.count}")
        return self.scatter / (self.count - 1)


def moments(features: Tensor) -> Moments:
    """Moments of features (n, d) of any floating type, on their own device; the mean and sums are in float64."""
    return merge(_chunk_moments(chunk.double()) for chunk in torch.split(features, CHUNK))


def merge(parts: Iterable[Moments]) -> Moments:
    """Moments of the union of disjoint sets (Chan, Golub and LeVeque, 1979)."""
    merged: Moments | None = None
    for part in parts:
        merged = part if merged is None else _merge_two(merged, part)
    if merged is None:
        raise InputError("there are no moments to merge")
    return merged


def absorbed(one: Moments, other: Moments) -> Moments:
    """Moments of the union, as `merge` has them, in the memory of the first, which is used up."""
    count = one.count + other.count
    if one.count == 0 or other.count == 0:
        return one if other.count == 0 else other
    shift = other.mean - one.mean
    weight = one.count * other.count / count
    scatter = one.scatter.add_(other.scatter).addr_(shift, shift, alpha=weight)
    return Moments(count, one.mean + shift * (other.count / count), scatter)


def _chunk_moments(rows: Tensor) -> Moments:
    mean = rows.mean(dim=0) if len(rows) else rows.new_zeros(rows.shape[1])
    centred = rows - mean
    scatter = centred.T @ centred
    # A matrix product may round (i, j) and (j, i) apart.
    return Moments(len(rows), mean, (scatter + scatter.T) / 2)


def _merge_two(one: Moments, other: Moments) -> Moments:
    count = one.count + other.count
    if count == 0:
        return one
    shift = other.mean - one.mean
    weight = one.count * other.count / count
    return Moments(
        count=count,
        mean=one.mean + shift * (other.count / count),
        scatter=one.scatter + other.scatter + weight * torch.outer(shift, shift),
    )
