"""What was found in one side's samples, handed to the metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.core.modes import Modes
from gandiag.statistics.grouped_moments import GroupedMoments, grouped_moments
from gandiag.statistics.rows import Rows

CHECKED = 1024  # rows looked at together


@dataclass(frozen=True)
class FeatureBank:
    """What the metrics asked for of one set of samples; what nobody asked for is None.

    Attributes:
        features: (n, d); `features_of` gives them as a tensor.
        logits: (n, groups, classes): one posterior for each labelled part of a sample, independent given the sample.
            A plain classifier has one group. `logits_of` gives them as a tensor, `logit_blocks` part by part.
        moments: of the features, for any number of samples; `moments_of` gives them.
        spatial_moments: of the features that keep the position in the image.
        images: uint8 (n, C, H, W), or points float32 (n, d).
        labels: class of each sample, int64 (n,), or (n, C) for one a channel.
        inputs: uint8 (n, c, h, w), what an image-to-image model was fed for each sample.
        targets: uint8 (n, C, H, W), the image that is wanted for each sample.
        cycled: uint8 (n, c, h, w), what the model back makes of each sample.
        paths: (n,), squared length of short steps in the latent space, seen by the extractor, over the step squared.
        modes: what the modes are, known on the real side of a dataset that has them.
        held_out: other real samples than these, on the real side of a reference that has some.
    All that are not None are of the same samples; `images`, what goes with them, `features` and `paths` may be of
    the first ones only.

    Raises:
        InputError: their shapes are wrong or disagree, or a value is not finite.
    """

    features: Tensor | Rows | None = None
    logits: Tensor | Rows | None = None
    moments: GroupedMoments | None = None
    spatial_moments: GroupedMoments | None = None
    images: Tensor | Rows | None = None
    labels: Tensor | None = None
    paths: Tensor | None = None
    inputs: Tensor | Rows | None = None
    targets: Tensor | Rows | None = None
    cycled: Tensor | Rows | None = None
    modes: Modes | None = None
    held_out: FeatureBank | None = None

    def __post_init__(self) -> None:
        for name, values, dimensions in (("features", self.features, 2), ("logits", self.logits, 3)):
            if values is None:
                continue
            if len(values.shape) != dimensions or 0 in values.shape[1:]:
                raise InputError(f"{name} must have {dimensions} dimensions, not the shape {tuple(values.shape)}")
            if not values.dtype.is_floating_point:
                raise InputError(f"{name} must be floating point, not {values.dtype}")
            # In parts: the check of all at once takes more memory than the values.
            blocks = values.blocks() if isinstance(values, Rows) else torch.split(values, CHECKED)
            if not all(bool(torch.isfinite(block).all()) for block in blocks):
                raise InputError(f"{name} hold values that are not finite")
        match self.features, self.logits:
            case Tensor() as features, Tensor() as logits if len(features) != len(logits):
                raise InputError(f"{len(features)} features and {len(logits)} logits are not of the same samples")

    def __len__(self) -> int:
        pairs = (self.inputs, self.targets, self.cycled)
        plain = (self.features, self.logits, self.images, self.labels, self.paths)
        lengths = (*plain, *pairs, self.moments, self.spatial_moments)
        return max((len(values) for values in lengths if values is not None), default=0)

    def first(self, count: int) -> FeatureBank:
        """The bank of the first `count` samples; moments cannot be cut and are left out."""
        if count >= len(self):
            return self
        return FeatureBank(
            features=_first(self.features, count),
            logits=_first(self.logits, count),
            images=_first(self.images, count),
            labels=None if self.labels is None else self.labels[:count],
            paths=None if self.paths is None else self.paths[:count],
            inputs=_first(self.inputs, count),
            targets=_first(self.targets, count),
            cycled=_first(self.cycled, count),
            modes=self.modes,
            held_out=None if self.held_out is None else self.held_out.first(count),
        )

    def with_held_out(self, held_out: FeatureBank) -> FeatureBank:
        """The bank with other real samples beside its own."""
        return replace(self, held_out=held_out)


def features_of(side: FeatureBank | Tensor) -> Tensor:
    """The features of a bank in memory, or a plain (n, d) tensor checked as a bank would be.

    Raises:
        InputError: there are none.
    """
    bank = side if isinstance(side, FeatureBank) else FeatureBank(features=side)
    if bank.features is None:
        raise InputError("this metric needs features, and the bank holds none")
    return in_memory(bank.features)


def moments_of(side: FeatureBank | Tensor | GroupedMoments) -> GroupedMoments:
    """The moments of a bank, or those of its features, or of a plain (n, d) tensor.

    Raises:
        InputError: there are neither.
    """
    if isinstance(side, GroupedMoments):
        return side
    if isinstance(side, FeatureBank) and side.moments is not None:
        return side.moments
    return grouped_moments(features_of(side))


def logits_of(side: FeatureBank | Tensor) -> Tensor:
    """The logits of a bank in memory, or a plain (n, classes) or (n, groups, classes) tensor, as (n, groups, classes).

    Raises:
        InputError: there are none.
    """
    return in_memory(_logits(side))


def logit_blocks(side: FeatureBank | Tensor) -> Iterator[Tensor]:
    """The same a part at a time, in order; never all in memory.

    Raises:
        InputError: there are none.
    """
    logits = _logits(side)
    return logits.blocks() if isinstance(logits, Rows) else iter(torch.split(logits, 8192))


def logit_shape(side: FeatureBank | Tensor) -> tuple[int, int, int]:
    """Samples, groups and classes.

    Raises:
        InputError: there are no logits.
    """
    count, groups, classes = _logits(side).shape
    return count, groups, classes


def images_of(side: FeatureBank) -> Tensor:
    """The images of a bank in memory.

    Raises:
        InputError: there are none.
    """
    if side.images is None:
        raise InputError("this metric needs images, and the bank holds none")
    return in_memory(side.images)


def labels_of(side: FeatureBank) -> Tensor:
    """The labels of a bank.

    Raises:
        InputError: there are none.
    """
    if side.labels is None:
        raise InputError("this metric needs labelled samples, and these have no labels")
    return side.labels


def _logits(side: FeatureBank | Tensor) -> Tensor | Rows:
    if isinstance(side, Tensor):
        side = FeatureBank(logits=side[:, None] if side.ndim == 2 else side)
    if side.logits is None:
        raise InputError("this metric needs class logits, and the bank holds none")
    return side.logits


def in_memory(values: Tensor | Rows) -> Tensor:
    """The rows of a head as one tensor."""
    return values.tensor() if isinstance(values, Rows) else values


def _first(values: Tensor | Rows | None, count: int) -> Tensor | None:
    return values.tensor(count) if isinstance(values, Rows) else None if values is None else values[:count]
