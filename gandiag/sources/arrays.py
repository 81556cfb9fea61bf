"""Rows of an array as a source: in memory, in a file, or wherever else a row can be taken from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gandiag.core.errors import InputError, shown
from gandiag.core.protocols import SourceInfo
from gandiag.sources.order import fair_order

BLOCK_BYTES = 2**24  # of the rows that are looked at together when a source is opened
MOST_CHANNELS = 4
CHANNELS_LAST = (1, 3, 4)
# Types in which PyTorch can look for the smallest value; numbers of other types are turned into one of these.
WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool)
SEARCHED = (*WHOLE, torch.float64, torch.float32, torch.float16, torch.bfloat16)
NATIVE = (np.uint8, np.float16, np.float32, np.float64, np.int64)  # types that PyTorch has too


class Table(Protocol):
    """Rows of numbers, of one shape and type."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def take(self, places: npt.NDArray[np.int64]) -> Tensor:
        """The rows at these places, in their order."""
        ...


@dataclass(frozen=True)
class TensorTable:
    """Rows in memory."""

    values: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    @property
    def dtype(self) -> torch.dtype:
        return self.values.dtype

    def take(self, places: npt.NDArray[np.int64]) -> Tensor:
        return self.values[torch.from_numpy(places)]


@dataclass(frozen=True)
class ArraySource:
    """Samples uint8 (n, C, H, W) or float32 (n, d), in an order that carries no information.

    Attributes:
        info: what it is.
        table: where the rows are.
        order: which row each sample is.
        classes: of each row, int64; None where they have none.
    """

    info: SourceInfo
    table: Table
    order: npt.NDArray[np.int64]
    classes: Tensor | None = None

    def read(self, start: int, stop: int) -> Tensor:
        """Samples `start` to `stop`."""
        return _samples(self.table.take(self.order[start:stop]))

    def labels(self, start: int, stop: int) -> Tensor | None:
        """The classes of samples `start` to `stop`, int64 (n,)."""
        return None if self.classes is None else self.classes[torch.from_numpy(self.order[start:stop])]


def tensor_source(
    values: Tensor, name: str = "tensor", *, in_order: bool = False, classes: Tensor | None = None
) -> ArraySource:
    """A tensor as a source.

    Args:
        values: images uint8 (n, C, H, W) or (n, H, W, C), or (n, H, W) where they are grey; floating point images in
            [0, 1]; or points (n, d).
        name: what to call it.
        in_order: keep the order of the rows, which are shuffled by a fixed rule otherwise.
        classes: of each row, if they have any.

    Raises:
        InputError: another shape or type, values out of range or not finite, or no samples.
    """
    return table_source(TensorTable(numbers(values.cpu(), name)), name, in_order=in_order, classes=classes)


def table_source(
    table: Table,
    name: str,
    *,
    path: str | None = None,
    in_order: bool = False,
    classes: Tensor | None = None,
    lossy: str | None = None,
    warnings: Sequence[str] = (),
) -> ArraySource:
    """The rows of a table as a source; see `tensor_source`.

    Args:
        table: where they are.
        name: what to call it.
        path: the file it came from.
        in_order: keep the order of the rows.
        classes: of each row, if they have any.
        lossy: the compression that changed its images, if one did.
        warnings: what to say of it.

    Raises:
        InputError: as in `tensor_source`.
    """
    title = name if path is None else shown(name)
    _check_shape(table, title)
    count = table.shape[0]
    digest = _check_values(table, title)
    if classes is not None:
        classes = _checked_classes(classes, count, title)
        digest.update(classes.numpy().tobytes())
    example = _samples(table.take(np.zeros(1, dtype=np.int64)))
    info = SourceInfo(
        name=name,
        kind="array",
        shape=tuple(example.shape[1:]),
        quantisation="none" if example.ndim == 2 else "uint8",
        size=count,
        path=path,
        sha256=digest.hexdigest(),
        shuffled=not in_order,
        lossy=lossy,
        warnings=tuple(warnings),
    )
    order = np.arange(count, dtype=np.int64) if in_order else fair_order(count)
    return ArraySource(info, table, order, classes)


def numbers(values: Tensor, title: str) -> Tensor:
    """A tensor's numbers, of a type that can be computed with.

    Raises:
        InputError: it is sparse, quantised or complex, or of parts of a byte.
    """
    if values.layout is not torch.strided or values.is_quantized or values.is_complex() or values.is_meta:
        raise InputError(f"{title} holds a sparse, quantised or complex tensor, expected plain numbers")
    if values.dtype in SEARCHED:
        return values.detach()
    try:
        return values.detach().to(torch.float32 if values.is_floating_point() else torch.int64)
    except NotImplementedError:
        raise InputError(f"{title} holds {values.dtype}, expected plain numbers") from None


def as_tensor(array: npt.NDArray[Any], title: str) -> Tensor:
    """An array's numbers, as uint8 or of a floating point type that PyTorch has.

    Raises:
        InputError: it holds something else.
    """
    if array.dtype.kind not in "fiub":
        raise InputError(f"{title} holds {array.dtype}, expected numbers")
    kept = (
        array if array.dtype in (np.uint8, np.float16, np.float32, np.float64, np.int64) else array.astype(np.float64)
    )
    native = kept.astype(kept.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(np.require(native, requirements=["C", "W"]))


def _samples(rows: Tensor) -> Tensor:
    """Points as float32; images with the channels first and as the bytes that they mean."""
    if rows.ndim == 2:
        return rows.float()
    images = rows[:, None] if rows.ndim == 3 else rows
    if images.shape[1] not in range(1, MOST_CHANNELS + 1) and images.shape[3] in CHANNELS_LAST:
        images = images.permute(0, 3, 1, 2)
    images = images.contiguous()
    return images if images.dtype == torch.uint8 else (images.float() * 255).round().to(torch.uint8)


def _check_shape(table: Table, title: str) -> None:
    shape = table.shape
    greys = len(shape) == 3 and table.dtype == torch.uint8
    if (len(shape) not in (2, 4) and not greys) or 0 in shape:
        message = f"{title} has the shape {shape}, expected images (n, C, H, W) or points (n, d)"
        raise InputError(f"{message} with one sample or more")


def _check_values(table: Table, title: str) -> hashlib._Hash:
    """Look at every value once: finite, and of images in the range that their type means; the hash of all.

    It is that of the samples and not of a file: one file may hold several arrays, and several files the same samples.
    """
    count, points = table.shape[0], len(table.shape) == 2
    floating, bytes_ = table.dtype.is_floating_point, table.dtype == torch.uint8
    row = max(1, int(np.prod(table.shape[1:])) * table.dtype.itemsize)
    step = max(1, BLOCK_BYTES // row)
    kind = torch.float32 if points else torch.uint8
    shape = tuple(_samples(table.take(np.zeros(1, dtype=np.int64))).shape[1:]) if points or floating or bytes_ else ()
    digest = hashlib.sha256(repr(((count, *shape), str(kind))).encode())
    smallest, largest = float("inf"), float("-inf")
    for start in range(0, count, step):
        rows = table.take(np.arange(start, min(start + step, count), dtype=np.int64))
        if floating and not bool(torch.isfinite(rows).all()):
            raise InputError(f"{title} holds NaN or infinite values")
        if not points and not bytes_:
            smallest, largest = min(smallest, float(rows.min())), max(largest, float(rows.max()))
        if points or bytes_ or (floating and smallest >= 0 and largest <= 1):
            digest.update(_samples(rows).numpy().tobytes())
    if not points and not bytes_ and (not floating or smallest < 0 or largest > 1):
        found = f"{table.dtype} images with values from {smallest:.3g} to {largest:.3g}"
        raise InputError(
            f"{title} holds {found}; give uint8 from 0 to 255, or floats from 0 to 1{_advice(smallest, largest)}"
        )
    return digest


def _advice(smallest: float, largest: float) -> str:
    if -1.05 <= smallest < 0 < largest <= 1.05:
        return ": from [-1, 1] they are (x + 1) / 2, clipped"
    return ": round them and convert them" if smallest >= 0 and 1 < largest <= 255 else ""


def _checked_classes(classes: Tensor, count: int, title: str) -> Tensor:
    if tuple(classes.shape) == (count, 1):
        classes = classes[:, 0]
    if tuple(classes.shape) != (count,) or classes.is_floating_point() or (count and int(classes.min()) < 0):
        message = f"the classes in {title} are {classes.dtype} of the shape {tuple(classes.shape)}"
        raise InputError(f"{message}, expected {count} whole numbers of 0 or more, one a sample")
    return classes.to(torch.int64)
