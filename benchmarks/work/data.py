"""Features of which both sides get the same."""

from __future__ import annotations

import torch
from torch import Tensor

WIDTH = 2048
BLOCK = 1024  # rows whose features come from one seed


def features(count: int, seed: int, *, stretch: float = 1.0, width: int = WIDTH) -> Tensor:
    """Normal float32 rows (count, width), made in place; their spread falls from axis to axis as that of Inception's.

    Args:
        count: rows.
        seed: of the rows.
        stretch: of the first half of the axes.
        width: columns.
    """
    made = torch.empty(count, width)
    for start in range(0, count, BLOCK):
        feature_block(made[start : start + BLOCK], seed, start // BLOCK, stretch)
    return made


def feature_block(rows: Tensor, seed: int, number: int, stretch: float = 1.0) -> Tensor:
    """Fill one block of at most 1,024 rows."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
    spread = (1 + torch.arange(rows.shape[1])).float() ** -0.5
    spread[: rows.shape[1] // 2] *= stretch
    return rows.normal_(generator=generator).mul_(spread).add_(0.3)


def sides(count: int, *, width: int = WIDTH) -> tuple[Tensor, Tensor]:
    """Real and fake features that differ a little."""
    return features(count, 1, width=width), features(count, 2, stretch=1.1, width=width)
