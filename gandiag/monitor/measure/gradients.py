"""Norms over all tensors of a network, in a few kernels and without waiting for the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_CHUNK = 1 << 24  # numbers whose differences are held at a time


def global_norm(tensors: Sequence[Tensor]) -> Tensor:
    """Euclidean norm over all entries of all tensors, accumulated in float32 at least, on the first one's device.

    It is not finite where any entry is not. Sparse and distributed tensors count with their values.
    """
    groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for tensor in tensors:
        dense = _dense(tensor.detach())
        groups.setdefault((dense.device, dense.dtype), []).append(dense)
    norms: list[Tensor] = []
    for (_, dtype), group in groups.items():
        if dtype.is_complex:
            group = [torch.view_as_real(tensor) for tensor in group]
        if dtype in (torch.float16, torch.bfloat16):
            parts = [torch.linalg.vector_norm(tensor, dtype=torch.float32) for tensor in group]
        else:
            parts = list(torch._foreach_norm(group))
        norms.append(parts[0] if len(parts) == 1 else torch.linalg.vector_norm(torch.stack(parts)))
    if len(norms) == 1:
        return norms[0]
    device = norms[0].device
    together = torch.stack([norm.to(device, torch.float32, non_blocking=True) for norm in norms])
    norm: Tensor = torch.linalg.vector_norm(together)
    return norm


def _dense(tensor: Tensor) -> Tensor:
    if tensor.layout != torch.strided:
        tensor = tensor.coalesce().values()
    full: Callable[[], Tensor] | None = getattr(tensor, "full_tensor", None)  # of a distributed tensor
    return tensor if full is None else full()


class Travel:
    """How far weights went since they were last looked at, over their norm; it keeps a copy of them."""

    def __init__(self) -> None:
        self._before: list[Tensor] = []

    def look(self, weights: Sequence[Tensor]) -> tuple[Tensor | None, Tensor]:
        """The distance since the last look, None at the first one and where the weights are others, and the norm."""
        now = [weight.detach() for weight in weights]
        norm = global_norm(now)
        before = self._before
        same = [(old.shape, old.dtype, old.device) for old in before] == [(w.shape, w.dtype, w.device) for w in now]
        if not same:
            self._before = [weight.clone() for weight in now]
            return None, norm
        ways, chunk, size = [], [], 0
        for old, new in zip(before, now, strict=True):
            chunk.append(new - old)
            size += new.numel()
            if size >= _CHUNK:
                ways.append(global_norm(chunk))
                chunk, size = [], 0
        if chunk:
            ways.append(global_norm(chunk))
        for old, new in zip(before, now, strict=True):
            old.copy_(new)
        return ways[0] if len(ways) == 1 else global_norm(ways), norm
