"""MNIST: real handwritten digits, 28 x 28; 8,000 / 2,000 come with gandiag, all 60,000 / 10,000 with --data-root."""

from __future__ import annotations

from gandiag.core.protocols import DatasetOptions
from gandiag.datasets._digits import digit_arrays
from gandiag.datasets._stored import StoredDataset, check_split, stored_dataset


def load(options: DatasetOptions) -> StoredDataset:
    """Digits (1, 28, 28) with their class (LeCun et al., 1998)."""
    check_split("mnist", options)
    images, classes = digit_arrays(options)
    return stored_dataset("mnist", options.split, images, classes, extractor="digits", samples=10_000, has_modes=True)
