"""Networks that were exported for one size of batch, fed with any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def in_batches(function: Callable[..., Any], size: int | None) -> Callable[..., Any]:
    """A function that gets batches of that size alone: the last one is filled up, and what that gives is left out."""
    if size is None:
        return function

    def generate(*arguments: Tensor) -> Any:
        count, parts = len(arguments[0]), []
        for start in range(0, count, size):
            batch = [argument[start : start + size] for argument in arguments]
            lacking = size - len(batch[0])
            filled = [
                torch.cat([part, part[:1].expand(lacking, *part.shape[1:])]) if lacking else part for part in batch
            ]
            given = function(*filled)
            given = given[0] if isinstance(given, list | tuple) else given
            parts.append(given[: len(batch[0])])
        return torch.cat(parts)

    return generate
