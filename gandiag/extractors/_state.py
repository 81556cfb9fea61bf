"""The weights of an extractor: which file they are in, and its tensors, read without unpickling anything."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Protocol

import torch
from torch import Tensor

from gandiag.core.errors import InputError, MissingDataError, shown
from gandiag.core.files import file_sha256
from gandiag.core.protocols import ExtractorOptions
from gandiag.core.weights import PUBLISHED, folder, path_of
from gandiag.statistics.safetensors_file import load_safetensors
from gandiag.statistics.torch_archive import check_saved
from gandiag.statistics.torchscript import is_torchscript, load_torchscript

LARGEST = 2**33  # bytes: those of DINOv2's largest network are 4.5 GB


class Weights(Protocol):
    """Where a network takes its tensors from: by name, and of the shape that it needs."""

    def __call__(self, name: str, *shape: int) -> Tensor: ...


class StateWeights:
    """The tensors of a state dict, each checked for its shape; `leftover` names those that nothing took."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self._state = dict(state)
        self._taken: set[str] = set()

    def __call__(self, name: str, *shape: int) -> Tensor:
        """The tensor of that name in float32; raises ValueError where there is none of that shape."""
        value = self._state.get(name)
        if value is None:
            raise ValueError(f"it has no tensor {shown(name)}")
        if tuple(value.shape) != shape:
            raise ValueError(f"its tensor {shown(name)} has the shape {tuple(value.shape)}, expected {shape}")
        self._taken.add(name)
        return value.detach().float()

    def leftover(self) -> list[str]:
        """Names that were never asked for, but for the counters that batch normalisation keeps in training."""
        rest = set(self._state) - self._taken
        return sorted(name for name in rest if not name.endswith(".num_batches_tracked"))


def find_weights(name: str, options: ExtractorOptions) -> tuple[Path, str]:
    """The weights file for an extractor, `options.weights` or the fetched one, and the SHA-256 of its content.

    Raises:
        MissingDataError: neither is there; the message says how to get the published one.
        InputError: the file cannot be read, or the fetched one is not the published one.
    """
    path = options.weights or path_of(name)
    if options.weights is None and not path.is_file():
        message = f"the extractor {name} needs its weights, which are not in {shown(folder())}"
        raise MissingDataError(f"{message}: run `gandiag weights fetch {name}`, or give --weights FILE")
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            message = f"the weights {shown(path)} of the extractor {name} are no file of {LARGEST >> 30} GiB at most"
            raise InputError(f"{message}; give a file of safetensors or torch.save")
        digest = file_sha256(path)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"cannot read the weights {shown(path)} of the extractor {name}: {reason}") from error
    if options.weights is None and digest != PUBLISHED[name].sha256:
        message = f"the weights {shown(path)} are not those that were published (another SHA-256)"
        raise InputError(f"{message}: run `gandiag weights fetch {name}` again, or give --weights FILE")
    return path, digest


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, a saved state dict, or a TorchScript archive (as CLIP is published).

    A state dict is read with `weights_only=True`. A TorchScript archive may hold code, of TorchScript's own operations
    and never of Python; it is opened for its tensors and its code is not called.

    Raises:
        ValueError: it is none of these.
    """
    try:
        if path.suffix == ".safetensors":
            return load_safetensors(path)
        if is_torchscript(path):
            return dict(load_torchscript(path)[0].state_dict())
        check_saved(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may fail in any way
        raise ValueError(_reason(error)) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError("it is not a state dict of tensors")
    return {str(name): value for name, value in state.items()}


def _reason(error: Exception) -> str:
    if isinstance(error, UnpicklingError):
        return "it is damaged, or holds more than tensors, which is never loaded"
    return str(error).strip().partition("\n")[0] or type(error).__name__
