"""Rows of an array that lie one after the other in a file, read when they are wanted."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gandiag.core.errors import InputError, shown
from gandiag.sources.arrays import as_tensor
from gandiag.sources.spool import Handle

TORCH = {"u1": torch.uint8, "f2": torch.float16, "f4": torch.float32, "f8": torch.float64, "i8": torch.int64}


@dataclass(frozen=True)
class FileTable:
    """Rows in a file, by position; a file that is cut short while it is read is an error and no crash.

    Attributes:
        handle: of the file.
        offset: where the first row begins.
        rows: shape of the array.
        kind: type of its numbers.
        title: what to call it.
        stamp: size and time of the last change when it was opened; None for a temporary file of our own.
    """

    handle: Handle
    offset: int
    rows: tuple[int, ...]
    kind: np.dtype[np.generic]
    title: str
    stamp: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.rows

    @property
    def dtype(self) -> torch.dtype:
        return TORCH.get(self.kind.str[1:], torch.float64)

    def take(self, places: npt.NDArray[np.int64]) -> Tensor:
        """The rows at these places.

        Raises:
            InputError: the file has changed since it was opened.
        """
        if self.stamp is not None and stamp_of(self.handle) != self.stamp:
            raise InputError(f"{shown(self.title)} has changed while it was read; score files that nothing writes to")
        width = math.prod(self.rows[1:]) * self.kind.itemsize
        if len(places) > 1 and bool((np.diff(places) == 1).all()):
            content = self._read(int(places[0]) * width, len(places) * width)
        else:
            content = b"".join(self._read(place * width, width) for place in places.tolist())
        found = np.frombuffer(bytearray(content), dtype=self.kind).reshape(len(places), *self.rows[1:])
        return as_tensor(found, shown(self.title))

    def _read(self, offset: int, size: int) -> bytes:
        content = self.handle.read(self.offset + offset, size)
        if len(content) != size:
            raise InputError(f"cannot read {shown(self.title)}: it is cut short; copy it again")
        return content


def file_table(
    handle: Handle, offset: int, shape: tuple[int, ...], kind: np.dtype[np.generic], title: str, *, watched: bool
) -> FileTable:
    """Rows in a file, which must be long enough; `watched` where somebody else may write to it.

    Raises:
        InputError: it is not.
    """
    if kind.kind not in "fiub":
        raise InputError(f"{shown(title)} holds {kind}, expected numbers")
    needed = offset + math.prod(shape) * kind.itemsize
    if any(size < 0 for size in shape) or needed > handle.size:
        message = f"cannot read {shown(title)}: its header says {shape}, which takes {needed:,} bytes"
        raise InputError(f"{message}, and it has {handle.size:,}; copy it again")
    return FileTable(handle, offset, shape, kind, title, stamp_of(handle) if watched else None)


def stamp_of(handle: Handle) -> tuple[int, int]:
    """Size and time of the last change of a file."""
    status = os.fstat(handle.descriptor)
    return status.st_size, status.st_mtime_ns
