"""Datasets by name: digits that come with gandiag, mixtures that are drawn, the published sets of torchvision."""

from __future__ import annotations

import os
from pathlib import Path

from gandiag.core.protocols import Dataset, DatasetFactory, DatasetOptions
from gandiag.core.registry import Registry

DATASETS: Registry[DatasetFactory] = Registry(
    "dataset", "gandiag.datasets", "load", package="gandiag.datasets", separator="-"
)


def load_dataset(
    name: str,
    *,
    split: str = "train",
    seed: int = 0,
    root: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> Dataset:
    """Open a dataset by its registered name.

    Args:
        name: such as `stacked-mnist`; `gandiag list datasets` names them all.
        split: `train` or `test`.
        seed: of datasets that are drawn, such as `stacked-mnist` and `ring8`.
        root: folder with the full published sets, for datasets that have one.
        download: fetch a missing published set into `root`.

    Raises:
        UnknownNameError: no such dataset.
        MissingDataError: the set is not there; the message says how to get it.
        UsageError: it has no such split.
    """
    options = DatasetOptions(split=split, seed=seed, root=None if root is None else Path(root), download=download)
    return DATASETS.load(name)(options)
