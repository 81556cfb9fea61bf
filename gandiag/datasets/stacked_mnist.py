"""Stacked MNIST: three digits as the channels of an image, 1,000 modes (Srivastava et al., 2017, arXiv 1705.07761)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.fingerprint import fingerprint
from gandiag.core.modes import ClassModes, Modes
from gandiag.core.protocols import DatasetOptions, SourceInfo
from gandiag.datasets import mnist
from gandiag.datasets._stored import StoredDataset, check_split

CHANNELS = 3


@dataclass(frozen=True)
class StackedDigits:
    """Endless stacks (3, 28, 28) of the digits of `base`; stack i is a function of (seed, i)."""

    info: SourceInfo
    base: StoredDataset
    seed: int
    modes: Modes
    extractor: str = "digits"
    samples: int = 26_000  # VEEGAN's number, the one of most published counts

    def indices(self, start: int, stop: int) -> Tensor:
        high = len(self.base.images)
        return torch.from_numpy(seeds.integers(self.seed, "stacked-mnist", start, stop, CHANNELS, high))

    def read(self, start: int, stop: int) -> Tensor:
        return self.base.images[self.indices(start, stop), 0]

    def labels(self, start: int, stop: int) -> Tensor:
        return self.base.classes[self.indices(start, stop)]


def load(options: DatasetOptions) -> StackedDigits:
    """Stacks of the digits of `mnist`, with their three classes."""
    check_split("stacked-mnist", options)
    base = mnist.load(options)
    counts = torch.bincount(base.classes, minlength=10)
    modes = ClassModes((counts / counts.sum(dtype=torch.float64)).numpy(), channels=CHANNELS)
    _, height, width = base.info.shape
    info = SourceInfo(
        name=f"stacked-mnist:{options.split}",
        kind="dataset",
        shape=(CHANNELS, height, width),
        quantisation="uint8",
        sha256=fingerprint({"dataset": "stacked-mnist", "base": base.info.sha256, "seed": options.seed}),
        dataset="stacked-mnist",
    )
    return StackedDigits(info, base, options.seed, modes)
