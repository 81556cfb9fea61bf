"""How a class label enters a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gandiag import InputError


class JoinedLabels(nn.Module):
    """Appends to each vector a learned vector of its class (conditional GAN, arXiv:1411.1784).

    Args:
        num_classes: labels go from 0 to `num_classes - 1`.
        width: numbers that a class becomes.
    """

    def __init__(self, num_classes: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_classes, width)

    def forward(self, values: Tensor, labels: Tensor | None) -> Tensor:
        """Vectors (n, d + width) of values (n, ...), flattened to (n, d), and labels (n,)."""
        return torch.cat([values.flatten(1), self.embedding(_present(labels))], dim=1)


class LabelMaps(nn.Module):
    """Appends to each image one more channel, a learned map of its class.

    Args:
        num_classes: labels go from 0 to `num_classes - 1`.
        side: of the square images.
    """

    def __init__(self, num_classes: int, side: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_classes, side * side)
        self.side = side

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Images (n, C + 1, side, side) of images (n, C, side, side) and labels (n,)."""
        maps = self.embedding(_present(labels)).view(-1, 1, self.side, self.side)
        joined = torch.cat([images, maps.to(images.dtype)], dim=1)
        return joined.contiguous(memory_format=torch.channels_last)


def _present(labels: Tensor | None) -> Tensor:
    if labels is None:
        raise InputError("this network takes labels beside its input, and got none")
    return labels
