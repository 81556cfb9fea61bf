"""CIFAR-10: 60,000 colour photographs, 32 x 32, 10 classes (Krizhevsky, 2009)."""

from __future__ import annotations

from gandiag.core.protocols import DatasetOptions
from gandiag.datasets._stored import StoredDataset
from gandiag.datasets._torchvision import published_dataset


def load(options: DatasetOptions) -> StoredDataset:
    """The set as torchvision reads it from `root`."""
    from torchvision.datasets import CIFAR10

    return published_dataset("cifar10", CIFAR10, options, extractor="inception", samples=50_000)
