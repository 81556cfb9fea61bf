"""Images or points in memory, or in an `.npy` or `.npz` file, as a source."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.errors import InputError, shown
from gandiag.core.files import file_sha256
from gandiag.core.protocols import SourceInfo


@dataclass(frozen=True)
class ArraySource:
    """Samples uint8 (n, C, H, W) or float32 (n, d), in an order that carries no information."""

    info: SourceInfo
    samples: Tensor

    def read(self, start: int, stop: int) -> Tensor:
        return self.samples[start:stop]


def tensor_source(
    values: Tensor, name: str = "tensor", *, path: str | None = None, in_order: bool = False
) -> ArraySource:
    """A tensor as a source.

    Args:
        values: images uint8 (n, C, H, W) or (n, H, W, C), or floating point (n, C, H, W) in [0, 1]; or points (n, d).
        name: what to call it.
        path: the file it came from.
        in_order: keep the order of the rows, which are shuffled by a fixed rule otherwise.

    Raises:
        InputError: another shape or type, values out of range or not finite, or no samples.
    """
    values = values.detach().cpu()
    if values.ndim not in (2, 4) or 0 in values.shape:
        message = f"{name} has the shape {tuple(values.shape)}, expected images (n, C, H, W) or points (n, d)"
        raise InputError(f"{message} with one sample or more")
    if values.is_floating_point() and not bool(torch.isfinite(values).all()):
        raise InputError(f"{name} holds NaN or infinite values")
    samples = values.float() if values.ndim == 2 else _images(values, name)
    # Files may be sorted by class: a fixed shuffle makes every prefix a fair sample.
    if not in_order:
        samples = samples[torch.from_numpy(seeds.generator(0, "order").permutation(len(samples)))].contiguous()
    digest = hashlib.sha256(repr((tuple(samples.shape), str(samples.dtype))).encode())
    digest.update(samples.numpy().tobytes())
    info = SourceInfo(
        name=name,
        kind="array",
        shape=tuple(samples.shape[1:]),
        quantisation="none" if samples.ndim == 2 else "uint8",
        size=len(samples),
        path=path,
        sha256=digest.hexdigest() if path is None else file_sha256(path),
    )
    return ArraySource(info, samples)


def array_file_source(path: str | os.PathLike[str], *, in_order: bool = False) -> ArraySource:
    """An `.npy` file, or an `.npz` file with one array or with `arr_0` (the layout of ADM's sample files).

    Raises:
        InputError: the file is damaged, holds Python objects, or no such array.
    """
    file = Path(path)
    try:
        with file.open("rb") as opened:
            array = _array(np.load(opened, allow_pickle=False), shown(file))
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"cannot read {shown(file)} as an array: {reason}") from error
    if array.dtype.kind not in "fiu":
        raise InputError(f"{shown(file)} holds {array.dtype}, expected numbers")
    kept = array if array.dtype == np.uint8 else array.astype(np.float32)
    return tensor_source(torch.from_numpy(np.ascontiguousarray(kept)), str(file), path=str(file), in_order=in_order)


def _array(found: Any, name: str) -> npt.NDArray[Any]:
    if isinstance(found, np.ndarray):
        return found
    names = list(found.files)
    if len(names) != 1 and "arr_0" not in names:
        raise InputError(f"{name} holds {', '.join(map(shown, names)) or 'nothing'}, expected one array, or arr_0")
    array: npt.NDArray[Any] = found["arr_0" if "arr_0" in names else names[0]]
    return array


def _images(values: Tensor, name: str) -> Tensor:
    if values.shape[1] not in (1, 2, 3, 4) and values.shape[3] in (1, 3, 4):
        values = values.permute(0, 3, 1, 2)
    if values.dtype == torch.uint8:
        return values
    smallest, largest = float(values.min()), float(values.max())
    if not values.is_floating_point() or smallest < 0 or largest > 1:
        found = f"{values.dtype} images with values from {smallest:.3g} to {largest:.3g}"
        raise InputError(f"{name} holds {found}; give uint8 from 0 to 255, or floats from 0 to 1")
    return (values * 255).round().to(torch.uint8)
