"""From what a user names to a source or a dataset."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gandiag.core import seeds
from gandiag.core.errors import InputError, UnknownNameError, UsageError, shown, suggestion
from gandiag.core.protocols import Dataset, ImageSpec, Latent, Precision, Source
from gandiag.datasets import DATASETS, load_dataset
from gandiag.sources.arrays import array_file_source, tensor_source
from gandiag.sources.checkpoint import load_checkpoint
from gandiag.sources.folder import folder_source
from gandiag.sources.generator import checkpoint_source, generator_source

Samples = str | os.PathLike[str] | Source | nn.Module | Callable[..., Tensor] | Tensor | Any

ARRAYS = {".npy", ".npz"}


@dataclass(frozen=True)
class Access:
    """How sources are opened: the seed, the device, the arithmetic, and where published data lies."""

    seed: int = 0
    device: str = "cpu"
    precision: Precision = "fp32"
    data_root: Path | None = None
    download: bool = False


def open_source(
    samples: Samples, access: Access, *, latent: Latent | None = None, image: ImageSpec | None = None
) -> Source:
    """The source behind a path, a dataset's name, a network, a function, a tensor or a map-style torch dataset.

    Raises:
        InputError: it cannot be read.
        UsageError: it is none of these; the message offers the nearest dataset.
    """
    if isinstance(samples, str | os.PathLike):
        return _named(samples, access)
    if isinstance(samples, Tensor | np.ndarray):
        return tensor_source(torch.as_tensor(samples))
    if isinstance(samples, Source):
        return samples
    if isinstance(samples, nn.Module) or (callable(samples) and not hasattr(samples, "__getitem__")):
        if latent is None or image is None:
            raise UsageError("a network or function needs latent=Latent(dim) and image=ImageSpec(shape, range)")
        name = type(samples).__name__ if isinstance(samples, nn.Module) else getattr(samples, "__name__", "function")
        return generator_source(
            samples,
            name=name,
            latent=latent,
            image=image,
            seed=access.seed,
            device=access.device,
            precision=access.precision,
        )
    if hasattr(samples, "__getitem__") and hasattr(samples, "__len__"):
        return _torch_dataset(samples)
    raise UsageError(
        f"{type(samples).__name__} cannot be scored; give a path, a network, a function, a tensor or a dataset"
    )


def open_reference(name: Samples, access: Access) -> Source:
    """The reference behind a name or a value; a drawn dataset gets its own stream, disjoint from any source's draw."""
    if isinstance(name, str | os.PathLike):
        return _named(name, replace(access, seed=seeds.integer(0, "reference")))
    return open_source(name, access)


def _named(name: str | os.PathLike[str], access: Access) -> Source:
    path = Path(name)
    if path.is_dir():
        return folder_source(path)
    if path.exists():
        if path.suffix.lower() in ARRAYS:
            return array_file_source(path)
        checkpoint = load_checkpoint(path)
        return checkpoint_source(checkpoint, seed=access.seed, device=access.device, precision=access.precision)
    return _dataset(str(name), access)


def _dataset(name: str, access: Access) -> Dataset:
    title, _, split = name.partition(":")
    try:
        DATASETS.resolve(title)
    except UnknownNameError as error:
        hint = suggestion(title, DATASETS.names())
        message = f"there is no file {shown(name)}, and no dataset of that name{hint}"
        raise InputError(f"{message}; datasets: {', '.join(DATASETS.names())}") from error
    return load_dataset(
        title, split=split or "train", seed=access.seed, root=access.data_root, download=access.download
    )


def _torch_dataset(dataset: Any) -> Source:
    """All images of a map-style torch dataset, whose items are images or tuples that begin with one."""
    items = (dataset[index] for index in range(len(dataset)))
    images = [torch.as_tensor(np.asarray(item[0] if isinstance(item, tuple | list) else item)) for item in items]
    if not images:
        raise InputError("the dataset holds no samples")
    if len({image.shape for image in images}) > 1:
        raise InputError("the dataset's images have several sizes; resize them to one")
    stacked = torch.stack([image[None] if image.ndim == 2 else image for image in images])
    return tensor_source(stacked, type(dataset).__name__)
