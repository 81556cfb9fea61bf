"""KMNIST: 70,000 cursive Japanese characters, 28 x 28, 10 classes (Clanuwat et al., 2018, arXiv 1812.01718)."""

from __future__ import annotations

from gandiag.core.protocols import DatasetOptions
from gandiag.datasets._stored import StoredDataset
from gandiag.datasets._torchvision import published_dataset


def load(options: DatasetOptions) -> StoredDataset:
    """The set as torchvision reads it from `root`."""
    from torchvision.datasets import KMNIST

    return published_dataset("kmnist", KMNIST, options, extractor="inception", samples=50_000)
