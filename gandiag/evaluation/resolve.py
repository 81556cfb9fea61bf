"""From what a user names to a source or a dataset."""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from gandiag.core import seeds
from gandiag.core.errors import InputError, UnknownNameError, UsageError, shown, suggestion
from gandiag.core.generator_options import GeneratorOptions
from gandiag.core.protocols import Conditioning, Dataset, ImageSpec, Latent, Source
from gandiag.datasets import DATASETS, load_dataset
from gandiag.sources.arrays import as_tensor, tensor_source
from gandiag.sources.checkpoint import Checkpoint
from gandiag.sources.factory import first_line
from gandiag.sources.formats import SourceOptions, find_file, open_file
from gandiag.sources.generator import checkpoint_source, generator_source
from gandiag.sources.inputs import Inputs, shapes_of
from gandiag.sources.items import items_source
from gandiag.sources.labels import Labels, named_labels
from gandiag.sources.latents import Latents, named_latents
from gandiag.sources.sample_names import IMAGE_KEYS, LABEL_KEYS
from gandiag.sources.saved import sample_tensors
from gandiag.sources.stdin import STDIN, stdin_source

Samples = str | os.PathLike[str] | Source | nn.Module | Callable[..., Tensor] | Tensor | Any


@dataclass(frozen=True)
class Access(SourceOptions):
    """How sources and datasets are opened: the options of files, and where published data lies."""

    data_root: Path | None = None
    download: bool = False


def open_source(
    samples: Samples,
    access: Access,
    *,
    latent: Latent | None = None,
    image: ImageSpec | None = None,
    conditioning: Conditioning | None = None,
) -> Source:
    """The source behind a path, a dataset's name, a network, a function, a tensor, a torch dataset or an iterator.

    Raises:
        InputError: it cannot be read.
        UsageError: it is none of these; the message offers the nearest dataset.
    """
    if isinstance(samples, str | os.PathLike):
        return _named(samples, access)
    if isinstance(samples, Tensor):
        return tensor_source(samples, in_order=access.by_name)
    if isinstance(samples, np.ndarray):
        return tensor_source(as_tensor(samples, "array"), in_order=access.by_name)
    if isinstance(samples, Source):
        return samples
    if isinstance(samples, Checkpoint):
        return checkpoint_source(
            samples,
            seed=access.seed,
            device=access.device,
            precision=access.precision,
            options=access.generator,
            inputs=access.inputs,
        )
    if isinstance(samples, nn.Module):
        samples = _placed(samples, access.device)
    if isinstance(samples, nn.Module) or (callable(samples) and not hasattr(samples, "__getitem__")):
        if not isinstance(image, ImageSpec) or (access.inputs is None and not isinstance(latent, Latent)):
            raise UsageError("a network or function needs latent=Latent(dim) and image=ImageSpec(shape, range)")
        name = type(samples).__name__ if isinstance(samples, nn.Module) else getattr(samples, "__name__", "function")
        options, fed = access.generator, access.inputs
        return generator_source(
            samples,
            name=name,
            latents=_own_latents(cast(Latent, latent), options, name)
            if fed is None
            else _own_inputs(fed, options, name),
            image=image,
            labels=_own_labels(conditioning, options, name),
            seed=access.seed,
            device=access.device,
            precision=access.precision,
        )
    if isinstance(samples, Mapping):
        return _mapping(samples, access)
    if hasattr(samples, "__iter__") or (hasattr(samples, "__getitem__") and hasattr(samples, "__len__")):
        return items_source(samples, in_order=access.by_name)
    raise UsageError(
        f"{type(samples).__name__} cannot be scored; give a path, a network, a function, a tensor or a dataset"
    )


def _placed(network: nn.Module, device: str) -> nn.Module:
    """The network, or a copy on the device where it lives on another: the caller's own stays where it is.

    Raises:
        UsageError: it cannot be copied.
    """
    held = next(itertools.chain(network.parameters(), network.buffers()), None)
    if held is None or held.device == torch.empty(0, device=device).device:
        return network
    try:
        return copy.deepcopy(network).to(device)
    except Exception as error:  # a stranger's network may raise anything
        message = f"{type(network).__name__} is on {held.device}, and cannot be copied to {device}: {first_line(error)}"
        raise UsageError(f"{message}; name its own device, or move it") from error


def _mapping(samples: Mapping[Any, Any], access: Access) -> Source:
    """Images and maybe classes by their usual names, as in a file of `torch.save`."""
    arrays = {name: each for name, each in samples.items() if isinstance(each, Tensor | np.ndarray)}
    held = {name: each if isinstance(each, Tensor) else as_tensor(each, shown(name)) for name, each in arrays.items()}
    known = sample_tensors(held) if len(held) == len(samples) else {}
    key = next((name for name in IMAGE_KEYS if name in known), None)
    if key is None:
        names = ", ".join(shown(name) for name in list(samples)[:6]) or "nothing"
        message = f"a dict of {names} cannot be scored; give arrays by one of the names {', '.join(IMAGE_KEYS)}"
        raise UsageError(f"{message}, and classes as {LABEL_KEYS[0]}")
    classes = next((known[name] for name in LABEL_KEYS if name in known and name != key), None)
    return tensor_source(known[key], "dict", in_order=access.by_name, classes=classes)


def reference_access(access: Access) -> Access:
    """How references are opened: a drawn one has its own stream, the same for every seed and disjoint from all."""
    return replace(access, seed=seeds.integer(0, "reference"), generator=GeneratorOptions(), inputs=None)


def _own_latents(latent: Latent, options: GeneratorOptions, name: str) -> Latents:
    """What a network in memory is fed, drawn as the options say."""
    said = ("--noise", "--truncation", "--labels", "--label-format")
    if unfit := [each for each in options.given() if each not in said]:
        message = f"{', '.join(unfit)} does not apply to {name}, a network in memory"
        raise UsageError(f"{message}; say it with latent=, image= and conditioning=, or leave it out")
    return named_latents(options.noise, latent, options.truncation)


def _own_labels(conditioning: Conditioning | None, options: GeneratorOptions, name: str) -> Labels | None:
    """The labels of a network in memory, as the options say; None for one that takes none."""
    if conditioning is not None:
        return named_labels(options.labels, conditioning.num_classes, options.label_format or "index")
    if options.labels is not None:
        raise UsageError(f"labels were given, and {name} takes none; say how many with conditioning=Conditioning(10)")
    return None


def _own_inputs(inputs: Source, options: GeneratorOptions, name: str) -> Inputs:
    """What a network in memory is fed, whose channels are not known: the images as they are."""
    if options.input_range is None:
        message = f"the values that {name} takes cannot be told"
        raise UsageError(f"{message}: say them with generator=GeneratorOptions(input_range=(0, 1)) or another range")
    return Inputs(inputs, ImageSpec(shapes_of(inputs)[0], options.input_range))


def _named(name: str | os.PathLike[str], access: Access) -> Source:
    if not str(name):
        raise UsageError("the name of the samples is empty; give a checkpoint, a folder, an array file or a dataset")
    if str(name) == STDIN:
        return stdin_source(access)
    file = find_file(str(name))
    if file is not None:
        return open_file(file, access)
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
