"""Fashion-MNIST: 70,000 grey pictures of clothes, 28 x 28, 10 classes (Xiao et al., 2017, arXiv 1708.07747)."""

from __future__ import annotations

from gandiag.core.protocols import DatasetOptions
from gandiag.datasets._stored import StoredDataset
from gandiag.datasets._torchvision import published_dataset


def load(options: DatasetOptions) -> StoredDataset:
    """The set as torchvision reads it from `root`."""
    from torchvision.datasets import FashionMNIST

    return published_dataset("fashion-mnist", FashionMNIST, options, extractor="inception", samples=50_000)
