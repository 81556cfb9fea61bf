"""What an extractor found in one side, handed to the metrics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.core.modes import Modes


@dataclass(frozen=True)
class FeatureBank:
    """Features and class logits of one set of samples, in the same order.

    Attributes:
        features: (n, d), or None where no metric needs them.
        logits: (n, groups, classes): one posterior for each labelled part of a sample, independent given the sample.
            A plain classifier has one group.
        modes: what the modes are, known on the real side of a dataset that has them.

    Raises:
        InputError: their shapes are wrong or disagree, or a value is not finite.
    """

    features: Tensor | None = None
    logits: Tensor | None = None
    modes: Modes | None = None

    def __post_init__(self) -> None:
        for name, values, dimensions in (("features", self.features, 2), ("logits", self.logits, 3)):
            if values is None:
                continue
            if values.ndim != dimensions or 0 in values.shape[1:]:
                raise InputError(f"{name} must have {dimensions} dimensions, not the shape {tuple(values.shape)}")
            if not values.is_floating_point():
                raise InputError(f"{name} must be floating point, not {values.dtype}")
            if not bool(torch.isfinite(values).all()):
                raise InputError(f"{name} hold values that are not finite")
        if self.features is not None and self.logits is not None and len(self.features) != len(self.logits):
            raise InputError(f"{len(self.features)} features and {len(self.logits)} logits are not of the same samples")

    def __len__(self) -> int:
        values = self.features if self.features is not None else self.logits
        return 0 if values is None else len(values)

    def first(self, count: int) -> FeatureBank:
        """The bank of the first `count` samples."""
        return FeatureBank(
            features=None if self.features is None else self.features[:count],
            logits=None if self.logits is None else self.logits[:count],
            modes=self.modes,
        )


def features_of(side: FeatureBank | Tensor) -> Tensor:
    """The features of a bank, or a plain (n, d) tensor checked as a bank would be.

    Raises:
        InputError: there are none.
    """
    bank = side if isinstance(side, FeatureBank) else FeatureBank(features=side)
    if bank.features is None:
        raise InputError("this metric needs features, and the bank holds none")
    return bank.features


def logits_of(side: FeatureBank | Tensor) -> Tensor:
    """The logits of a bank, or a plain (n, classes) or (n, groups, classes) tensor, as (n, groups, classes).

    Raises:
        InputError: there are none.
    """
    if isinstance(side, Tensor):
        side = FeatureBank(logits=side[:, None] if side.ndim == 2 else side)
    if side.logits is None:
        raise InputError("this metric needs class logits, and the bank holds none")
    return side.logits
