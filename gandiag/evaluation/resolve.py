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
from gandiag.core.protocols import Conditioning, Dataset, ImageSpec, Latent, Precision, Source
from gandiag.datasets import DATASETS, load_dataset
from gandiag.sources.arrays import array_file_source, tensor_source
from gandiag.sources.checkpoint import Checkpoint, load_checkpoint
from gandiag.sources.folder import folder_source
from gandiag.sources.generator import checkpoint_source, generator_source

Samples = str | os.PathLike[str] | Source | nn.Module | Callable[..., Tensor] | Tensor | Any

ARRAYS = {".npy", ".npz"}


@dataclass(frozen=True)
class Access:
    """How sources are opened: the seed, the device, the arithmetic, and where published data lies.

    Files of a folder and rows of an array are shuffled, by a fixed rule, so that every prefix is a fair sample; with
    `by_name` they keep their order.
    """

    seed: int = 0
    device: str = "cpu"
    precision: Precision = "fp32"
    data_root: Path | None = None
    download: bool = False
    by_name: bool = False


def open_source(
    samples: Samples,
    access: Access,
    *,
    latent: Latent | None = None,
    image: ImageSpec | None = None,
    conditioning: Conditioning | None = None,
) -> Source:
    """The source behind a path, a dataset's name, a network, a function, a tensor or a map-style torch dataset.

    Raises:
        InputError: it cannot be read.
        UsageError: it is none of these; the message offers the nearest dataset.
    """
    if isinstance(samples, str | os.PathLike):
        return _named(samples, access)
    if isinstance(samples, Tensor | np.ndarray):
        return tensor_source(torch.as_tensor(samples), in_order=access.by_name)
    if isinstance(samples, Source):
        return samples
    if isinstance(samples, Checkpoint):
        return checkpoint_source(samples, seed=access.seed, device=access.device, precision=access.precision)
    if isinstance(samples, nn.Module) or (callable(samples) and not hasattr(samples, "__getitem__")):
        if not isinstance(latent, Latent) or not isinstance(image, ImageSpec):
            raise UsageError("a network or function needs latent=Latent(dim) and image=ImageSpec(shape, range)")
        name = type(samples).__name__ if isinstance(samples, nn.Module) else getattr(samples, "__name__", "function")
        return generator_source(
            samples,
            name=name,
            latent=latent,
            image=image,
            conditioning=conditioning,
            seed=access.seed,
            device=access.device,
            precision=access.precision,
        )
    if hasattr(samples, "__getitem__") and hasattr(samples, "__len__"):
        return _torch_dataset(samples)
    raise UsageError(
        f"{type(samples).__name__} cannot be scored; give a path, a network, a function, a tensor or a dataset"
    )


def reference_access(access: Access) -> Access:
    """How references are opened: a drawn one has its own stream, the same for every seed and disjoint from all."""
    return replace(access, seed=seeds.integer(0, "reference"))


def _named(name: str | os.PathLike[str], access: Access) -> Source:
    if not str(name):
        raise UsageError("the name of the samples is empty; give a checkpoint, a folder, an array file or a dataset")
    path = Path(name)
    if path.is_dir() and (path / "checkpoint.pt").is_file():
        raise InputError(f"{shown(path)} is a run folder; score the checkpoint in it: {path / 'checkpoint.pt'}")
    if path.is_dir():
        return folder_source(path, by_name=access.by_name)
    if path.exists():
        if path.suffix.lower() in ARRAYS:
            return array_file_source(path, in_order=access.by_name)
        checkpoint = load_checkpoint(path)
        return checkpoint_source(checkpoint, seed=access.seed, device=access.device, precision=access.precision)
    try:
        return open_dataset(str(name), access)
    except UnknownNameError as error:
        message = f"there is no file {shown(name)}, and no dataset of that name"
        hint = suggestion(str(name), DATASETS.names())
        raise InputError(f"{message}{hint}; datasets: {', '.join(DATASETS.names())}") from error


def open_dataset(name: str, access: Access) -> Dataset:
    """The dataset `NAME` or `NAME:SPLIT`.

    Raises:
        UnknownNameError: there is none of that name.
        MissingDataError: it is not on this machine.
        UsageError: it has no such split.
    """
    title, _, split = name.partition(":")
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
