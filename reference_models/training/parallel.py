"""Data parallel training: `torchrun` starts processes, each takes its rows of a batch, and gradients are averaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gandiag import UsageError

T = TypeVar("T")


@dataclass(frozen=True)
class Team:
    """The processes of a run: which of how many this one is."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def rows(self, batch: Tensor) -> Tensor:
        """The rows of this process of a batch (n, ...), all of them where it is alone."""
        if self.size == 1:
            return batch
        each = len(batch) // self.size
        return batch[self.rank * each : (self.rank + 1) * each]

    def average(self, tensors: Iterable[Tensor | None]) -> None:
        """Replace each by its mean over the processes."""
        if self.size == 1:
            return
        present = [tensor for tensor in tensors if tensor is not None and tensor.is_floating_point()]
        if not present:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in present])
        dist.all_reduce(flat)
        flat /= self.size
        means = torch.split(flat, [tensor.numel() for tensor in present])
        for tensor, mean in zip(present, means, strict=True):
            tensor.copy_(mean.view(tensor.shape))

    def average_buffers(self, *networks: nn.Module) -> None:
        """Give all processes the same statistics of batch norm."""
        if self.size > 1:
            self.average(buffer for network in networks for buffer in network.buffers())

    def any(self, value: bool) -> bool:
        """Whether it is true in any process."""
        if self.size == 1:
            return value
        flag = torch.tensor([float(value)])
        if dist.get_backend() == "nccl":
            flag = flag.cuda()
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag.item())

    def gathered(self, value: T) -> list[T]:
        """The values of all processes, by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            dist.barrier()


ALONE = Team()


@contextmanager
def team(device: torch.device, batch_size: int) -> Iterator[Team]:
    """The team that `torchrun` started, or this process alone.

    Raises:
        UsageError: the batch cannot be divided among the processes.
    """
    if not dist.is_available() or not dist.is_torchelastic_launched():
        yield ALONE
        return
    began = not dist.is_initialized()
    if device.type == "cuda":
        torch.cuda.set_device(device)  # which NCCL takes for all that has no device of its own
    if began:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        found = Team(dist.get_rank(), dist.get_world_size())
        if batch_size % found.size:
            message = f"the batch of {batch_size} cannot be divided among {found.size} processes"
            raise UsageError(f"{message}; start a number of them that divides it")
        yield found
    finally:
        if began:
            dist.destroy_process_group()
