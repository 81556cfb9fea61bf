"""Compiling a network with frozen weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gandiag.core.errors import UsageError
from gandiag.core.protocols import ExtractorOptions
from gandiag.extractors._precision import arithmetic

Run = Callable[[Tensor], tuple[Tensor, ...]]


def compiled(name: str, network: nn.Module, example: Tensor, options: ExtractorOptions) -> Run:
    """The network compiled for batches of the example's size, smaller ones being filled up.

    Raises:
        UsageError: it cannot be compiled here, as where there is no C++ compiler.
    """
    size = len(example)
    try:
        fast = torch.compile(network, dynamic=False, options={"freezing": True})
        with arithmetic(options.device, options.precision):
            fast(example)
    except Exception as error:  # a compiler may fail in any way
        reason = str(error).strip().partition("\n")[0]
        message = f"cannot compile the extractor {name} on this machine: {type(error).__name__}: {reason}"
        raise UsageError(f"{message}; leave --compile out") from error

    def run(images: Tensor) -> tuple[Tensor, ...]:
        found = []
        for part in torch.split(images, size):
            filled = torch.cat([part, part.new_zeros(size - len(part), *part.shape[1:])])
            filled = filled.contiguous(memory_format=torch.channels_last)
            found.append([values[: len(part)].clone() for values in fast(filled)])
        return tuple(torch.cat(values) for values in zip(*found, strict=True))

    return run
