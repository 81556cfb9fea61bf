"""Random numbers that depend on the seed, the step and the purpose alone: there is no generator's state to save."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from gandiag import Latent


def integer(seed: int, *purpose: int | str) -> int:
    """A 63-bit number for a purpose, such as `integer(seed, "noise", step)`."""
    return int.from_bytes(hashlib.sha256(repr((seed, *purpose)).encode()).digest()[:8], "little") >> 1


def generator(seed: int, *purpose: int | str) -> torch.Generator:
    """A CPU generator for a purpose."""
    return torch.Generator().manual_seed(integer(seed, *purpose))


def noise(latent: Latent, count: int, seed: int, *purpose: int | str) -> Tensor:
    """Noise (count, dim) on the CPU, standard normal or uniform on (-1, 1)."""
    source = generator(seed, *purpose)
    if latent.distribution == "uniform":
        return torch.rand(count, latent.dim, generator=source) * 2 - 1
    return torch.randn(count, latent.dim, generator=source)


@contextmanager
def fixed(device: torch.device, seed: int, *purpose: int | str) -> Iterator[None]:
    """What networks draw by themselves, as dropout does, depends on the purpose alone; the caller's state stays."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        number = integer(seed, *purpose)
        torch.default_generator.manual_seed(number)
        if devices:
            torch.cuda.manual_seed(number)
        yield
