"""What a statistics file says of a reference, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.grouped_moments import GroupedMoments
from gandiag.statistics.moments import Moments

# Stands for N - 1 where N is not known: a power of two, so that the covariance comes back bit for bit.
MANY = 2**20
ROUNDING = 1e-6  # of the largest value, or of the trace: what a file in float32 is off by, and some


@dataclass(frozen=True)
class ReferenceStatistics:
    """Features of a reference, summed up.

    Attributes:
        name: of the data that they are of, or of the file where it does not say.
        convention: whose file it is and how it was computed, in words.
        moments: of the features; their `count` is None where the file does not say.
        spatial_moments: of the spatial features, if it has them.
        features: (n, d), if it has all of them, in an order that carries no information.
        samples: how many samples they are of; None where the file does not say.
        extractor: registered name of the network; None where neither the file nor the width says.
        extractor_sha256: of its weights, where the file says.
        preprocessing: as an ExtractorInfo gives it; None where nothing says.
        source_sha256: of the samples, where the file says.
        protocol: all that the file says of how it was made.
        path: of the file; None where there is none yet.
        sha256: of the file.
        warnings: what the reader of scores against it should know.
    """

    name: str
    convention: str
    moments: GroupedMoments
    spatial_moments: GroupedMoments | None = None
    features: Tensor | None = None
    samples: int | None = None
    extractor: str | None = None
    extractor_sha256: str | None = None
    preprocessing: str | None = None
    source_sha256: str | None = None
    protocol: Mapping[str, Any] = field(default_factory=dict)
    path: str | None = None
    sha256: str | None = None
    warnings: tuple[str, ...] = ()

    def bank(self) -> FeatureBank:
        """What the metrics can have of it: features where the file holds those of all samples."""
        features = self.features
        if features is None and self.moments.complete:
            features = self.moments.rows
        return FeatureBank(features=features, moments=self.moments, spatial_moments=self.spatial_moments)


def moments_of_covariance(mean: Tensor, covariance: Tensor, *, samples: int | None, biased: bool) -> GroupedMoments:
    """Moments from a mean (d,) and a covariance (d, d) that came from elsewhere, checked.

    Args:
        mean, covariance: of any floating type.
        samples: how many samples they are of, if that is known.
        biased: whether the covariance is the scatter over N, and not over N - 1.

    Raises:
        InputError: they cannot be a mean and a covariance; the message completes "it holds".
    """
    mean, covariance = mean.double(), covariance.double()
    dimension = len(mean) if mean.ndim == 1 else 0
    if not dimension or tuple(covariance.shape) != (dimension, dimension):
        shapes = f"a mean of the shape {tuple(mean.shape)} and a covariance of the shape {tuple(covariance.shape)}"
        raise InputError(f"{shapes}, expected (d,) and (d, d)")
    if not bool(torch.isfinite(mean).all() and torch.isfinite(covariance).all()):
        raise InputError("values that are not finite")
    if float((covariance - covariance.T).abs().max()) > ROUNDING * float(covariance.abs().max()):
        raise InputError("a covariance that is not symmetric")
    covariance = (covariance + covariance.T) / 2
    if not _no_negative_variance(covariance):
        raise InputError("a covariance with a negative variance in some direction")
    if samples is None:
        whole = Moments(MANY + 1, mean, covariance * MANY)
    else:
        whole = Moments(samples, mean, covariance * (samples if biased else samples - 1))
    none = mean.new_empty(0, dimension)
    return GroupedMoments(count=samples, rows=none, lowest=None, highest=None, groups=[whole])


def _no_negative_variance(covariance: Tensor) -> bool:
    trace = float(covariance.trace())
    if trace <= 0:
        return not bool(covariance.any())
    raised = covariance + ROUNDING * trace * torch.eye(len(covariance), dtype=covariance.dtype)
    return int(torch.linalg.cholesky_ex(raised).info) == 0
