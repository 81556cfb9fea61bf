"""What several processes of one run tell each other; with one process, nothing.

Every process runs the same program on the same numbers: what one of them alone has computed is given to all before it
is used, in the order of their ranks, so that the result is that of one process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from gandiag.statistics.grouped_moments import GroupedMoments, merge_grouped
from gandiag.statistics.moments import Moments
from gandiag.statistics.rows import Rows

Piece = TypeVar("Piece")


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if _several() else 0


def world() -> int:
    """How many processes there are."""
    return dist.get_world_size() if _several() else 1


def share(count: int) -> range:
    """Which part of `count` pieces of work is this process's: consecutive ones, in the order of the ranks."""
    return range(count * rank() // world(), count * (rank() + 1) // world())


def shared(work: Iterable[Piece]) -> list[Piece]:
    """The share of a list of pieces of work that is this process's."""
    pieces = list(work)
    mine = share(len(pieces))
    return pieces[mine.start : mine.stop]


def gather(part: Tensor) -> Tensor:
    """The rows of all processes, in the order of their ranks; of each, as many as it has."""
    if world() == 1:
        return part
    return torch.cat(list(_from_each([part])))


def gather_rows(rows: Rows) -> Rows:
    """The same for rows that may be larger than memory: a block at a time."""
    if world() == 1:
        return rows
    joined = Rows(rows.budget)
    for block in _from_each(rows.blocks()):
        joined.append(block)
    return joined


def gather_moments(part: GroupedMoments | None) -> GroupedMoments | None:
    """The moments of the samples of all processes; None from those that have seen none."""
    if world() == 1:
        return part
    parts = []
    for owner in range(world()):
        mine = part if owner == rank() else None
        if not _number(mine is not None, owner):
            continue
        parts.append(_moments_from(mine, owner))
    return merge_grouped(parts) if parts else None


def total(value: Tensor) -> Tensor:
    """The sum over all processes."""
    if world() > 1:
        dist.all_reduce(value)
    return value


def agree(flag: bool) -> bool:
    """Whether all processes say yes."""
    if world() == 1:
        return flag
    return all(_number(flag, owner) for owner in range(world()))


def _several() -> bool:
    return dist.is_available() and dist.is_initialized()


def _from_each(blocks: Sequence[Tensor] | Iterator[Tensor]) -> Iterator[Tensor]:
    """The blocks of every process in the order of their ranks."""
    mine = iter(blocks)
    for owner in range(world()):
        while True:
            block = next(mine, None) if owner == rank() else None
            if not _number(block is not None, owner):
                break
            yield _broadcast(block, owner)


def _moments_from(part: GroupedMoments | None, owner: int) -> GroupedMoments:
    rows = _broadcast(None if part is None else part.rows, owner)
    lowest = _broadcast(None if part is None else part.lowest, owner)
    highest = _broadcast(None if part is None else part.highest, owner)
    count = _number(0 if part is None else len(part), owner)
    accumulated = None if part is None or part.from_rows else part.groups
    groups = []
    for group in range(_number(len(accumulated or ()), owner)):
        own = None if accumulated is None else accumulated[group]
        groups.append(
            Moments(
                _number(0 if own is None else own.count, owner),
                _broadcast(None if own is None else own.mean, owner),
                _broadcast(None if own is None else own.scatter, owner),
            )
        )
    return GroupedMoments(count=count, rows=rows, lowest=lowest, highest=highest, groups=groups or None)


def _number(value: int, owner: int) -> int:
    told = torch.tensor([int(value)], dtype=torch.int64, device=_device())
    dist.broadcast(told, owner)
    return int(told[0])


# Order of the types in the header that goes before a tensor.
TYPES = (torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool, torch.int32)


def _broadcast(value: Tensor | None, owner: int) -> Tensor:
    """A tensor of any shape from its owner."""
    header = [0] * 10
    if value is not None:
        header = [TYPES.index(value.dtype), value.ndim, *value.shape, *header][:10]
    told = torch.tensor(header, dtype=torch.int64, device=_device())
    dist.broadcast(told, owner)
    kind, dimensions, *shape = told.tolist()
    where = _device() if value is None else value.device
    content = (
        torch.empty(shape[:dimensions], dtype=TYPES[kind], device=_device())
        if value is None
        else value.contiguous().to(_device())
    )
    dist.broadcast(content, owner)
    return content.to(where)


def _device() -> torch.device:
    """Where the processes' messages must lie."""
    return torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")
