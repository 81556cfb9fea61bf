"""The published sets that torchvision reads: found under `--data-root`, downloaded only when asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gandiag.core.errors import MissingDataError
from gandiag.core.protocols import DatasetOptions
from gandiag.datasets._stored import StoredDataset, check_split, stored_dataset


def published_arrays(name: str, reader: Callable[..., Any], options: DatasetOptions) -> tuple[Tensor, Tensor]:
    """Images uint8 (n, C, H, W) and classes int64 (n,) of a torchvision dataset class.

    Raises:
        MissingDataError: no folder was given, or the set is not in it.
    """
    if options.root is None:
        message = (
            f"{name} does not come with gandiag: give the folder that holds it with --data-root (or GANDIAG_DATA_ROOT)"
        )
        raise MissingDataError(f"{message}, and add --download to fetch it into that folder")
    try:
        dataset = reader(root=str(options.root), train=options.split == "train", download=options.download)
    except (AssertionError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        message = f"{name} cannot be read from {str(options.root)!r}: {reason}"
        raise MissingDataError(f"{message}; add --download to fetch it, or point --data-root to where it is") from error
    images = torch.as_tensor(np.asarray(dataset.data))
    images = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return images.contiguous(), torch.as_tensor(np.asarray(dataset.targets)).long()


def published_dataset(
    name: str, reader: Callable[..., Any], options: DatasetOptions, *, extractor: str, samples: int
) -> StoredDataset:
    """A published set as a dataset without modes of its own."""
    check_split(name, options)
    images, classes = published_arrays(name, reader, options)
    return stored_dataset(name, options.split, images, classes, extractor=extractor, samples=samples, has_modes=False)
