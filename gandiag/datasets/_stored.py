"""A dataset whose images lie in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.core.errors import UsageError
from gandiag.core.modes import ClassModes, Modes
from gandiag.core.protocols import DatasetOptions, SourceInfo


@dataclass(frozen=True)
class StoredDataset:
    """Images uint8 (n, C, H, W) with a class each, int64 (n,), in an order that carries no information."""

    info: SourceInfo
    images: Tensor
    classes: Tensor
    extractor: str
    samples: int
    modes: Modes | None = None

    def read(self, start: int, stop: int) -> Tensor:
        return self.images[start:stop].clone()  # the images are shared by all who load the dataset

    def labels(self, start: int, stop: int) -> Tensor:
        return self.classes[start:stop].clone()


def stored_dataset(
    name: str, split: str, images: Tensor, classes: Tensor, *, extractor: str, samples: int, has_modes: bool
) -> StoredDataset:
    """A StoredDataset named `name:split` with its content's hash; its classes are its modes where `has_modes`."""
    digest = hashlib.sha256(repr(tuple(images.shape)).encode())
    digest.update(images.numpy().tobytes())
    digest.update(classes.numpy().tobytes())
    modes = None
    if has_modes:
        counts = torch.bincount(classes, minlength=int(classes.max()) + 1)
        modes = ClassModes((counts / counts.sum(dtype=torch.float64)).numpy(), channels=1)
    info = SourceInfo(
        name=f"{name}:{split}",
        kind="dataset",
        shape=tuple(images.shape[1:]),
        quantisation="uint8",
        size=len(images),
        sha256=digest.hexdigest(),
        dataset=name,
    )
    return StoredDataset(info, images, classes, extractor, samples, modes)


def check_split(name: str, options: DatasetOptions, splits: tuple[str, ...] = ("train", "test")) -> None:
    """Raise UsageError for a split that the dataset does not have."""
    if options.split not in splits:
        raise UsageError(f"{name} has no split {options.split!r}; it has {', '.join(splits)}")
