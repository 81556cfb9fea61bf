"""Images that come one after the other, kept in a temporary file: frames of a video, items of a torch dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.sources.arrays import ArraySource, Table, table_source
from gandiag.sources.file_table import file_table
from gandiag.sources.spool import LIMIT, Spool


@dataclass(frozen=True)
class GreyTable:
    """The first channel of colour images in which all channels are the same."""

    table: Table

    @property
    def shape(self) -> tuple[int, ...]:
        count, _, height, width = self.table.shape
        return count, 1, height, width

    @property
    def dtype(self) -> torch.dtype:
        return self.table.dtype

    def take(self, places: npt.NDArray[np.int64]) -> Tensor:
        return self.table.take(places)[:, :1]


def frames_source(
    frames: Iterable[Tensor],
    name: str,
    *,
    title: str,
    path: str | None = None,
    in_order: bool = False,
    classes: Sequence[int] | None = None,
    lossy: str | None = None,
    warnings: Sequence[str] = (),
    find_grey: bool = False,
    limit: int = LIMIT,
) -> ArraySource:
    """Samples of one shape and type, each uint8 (C, H, W) or float32 (d,).

    Args:
        frames: read to their end.
        name: what to call them.
        title: the same for messages, quoted.
        path: the file they come from.
        in_order: keep their order.
        classes: of each, complete once the frames are.
        lossy: the compression that changed them.
        warnings: what to say of them.
        find_grey: whether colour frames are grey where all channels of all frames are the same.
        limit: bytes of all of them.

    Raises:
        InputError: they are of several shapes, beyond the limit, or none.
    """
    spool = Spool(name, limit=limit)
    first: Tensor | None = None
    grey = find_grey
    for frame in frames:
        if first is None:
            first = frame
        if frame.shape != first.shape or frame.dtype != first.dtype:
            found = f"{tuple(first.shape)} and {tuple(frame.shape)}"
            raise InputError(f"{title} holds images of several sizes, {found}; resize them to one")
        grey = grey and frame.ndim == 3 and len(frame) == 3 and bool((frame == frame[:1]).all())
        spool.append(frame.contiguous().numpy().tobytes())
    if first is None:
        raise InputError(f"{title} holds no samples")
    kind = np.dtype(np.uint8 if first.dtype == torch.uint8 else np.float32)
    table: Table = file_table(spool.handle, 0, (len(spool), *first.shape), kind, name, watched=False)
    kept = None if not classes else torch.tensor(list(classes), dtype=torch.int64)
    table = GreyTable(table) if grey else table
    return table_source(table, name, path=path, in_order=in_order, classes=kept, lossy=lossy, warnings=warnings)
