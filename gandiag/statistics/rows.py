"""Rows of a matrix that may be larger than memory: kept where they were made up to a budget, then in a file."""

from __future__ import annotations

import math
import tempfile
import weakref
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

BUDGET = 2**29  # bytes of one store that stay in memory
BLOCK_BYTES = 2**25  # read from the file at a time


class Rows:
    """Rows (n, ...) in the order in which they were appended.

    Beyond the budget all of them move to a temporary file that has no name, so that nothing is left behind however
    the process ends.

    Args:
        budget: bytes to keep in memory.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self._parts: list[Tensor] = []
        self._file: BinaryIO | None = None
        self._count = 0
        self._row = torch.empty(0)

    def append(self, rows: Tensor) -> None:
        """Add rows (m, ...) of the same shape and type as those before."""
        if self._count == 0:
            self._row = rows.new_empty(0, *rows.shape[1:])
        self._count += len(rows)
        if self._file is not None:
            _write(self._file, rows)
            return
        self._parts.append(rows)
        if self._count * self._row_bytes > self.budget:
            self._file = tempfile.TemporaryFile(prefix="gandiag-")  # noqa: SIM115 - lives as long as the rows
            weakref.finalize(self, self._file.close)
            for part in self._parts:
                _write(self._file, part)
            self._parts = []

    def __len__(self) -> int:
        return self._count

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""
        return (self._count, *self._row.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        """Type of the values."""
        return self._row.dtype

    @property
    def device(self) -> torch.device:
        """Where `blocks` and `tensor` put the rows: where they were made."""
        return self._row.device

    @property
    def spilled(self) -> bool:
        """Whether they are in a file."""
        return self._file is not None

    def blocks(self, stop: int | None = None) -> Iterator[Tensor]:
        """The first `stop` rows in order, all by default, a part of them at a time.

        The parts are of one size wherever the rows are and however they came, so that sums over them repeat.
        """
        left = self._count if stop is None else min(stop, self._count)
        step = max(1, BLOCK_BYTES // self._row_bytes)
        if self._file is None:
            yield from torch.split(self.tensor(stop), step) if left else ()
            return
        for start in range(0, left, step):
            count = min(step, left - start)
            self._file.seek(start * self._row_bytes)
            content = bytearray(count * self._row_bytes)
            self._file.readinto(content)  # type: ignore[attr-defined]
            values = torch.frombuffer(content, dtype=self.dtype)
            yield values.view(count, *self._row.shape[1:]).to(self.device)

    def tensor(self, stop: int | None = None) -> Tensor:
        """The first `stop` rows, all by default, in memory."""
        if self._file is None and len(self._parts) > 1:
            self._parts = [torch.cat(self._parts)]
        if self._file is None and self._parts:
            return self._parts[0][:stop]
        count = self._count if stop is None else min(stop, self._count)
        joined = self._row.new_empty(count, *self._row.shape[1:])
        start = 0
        for block in self.blocks(stop):
            joined[start : start + len(block)] = block
            start += len(block)
        return joined

    @property
    def _row_bytes(self) -> int:
        return max(1, math.prod(self._row.shape[1:]) * self._row.element_size())


def _write(file: BinaryIO, rows: Tensor) -> None:
    file.seek(0, 2)
    file.write(np.ascontiguousarray(rows.detach().cpu().numpy()).tobytes())
