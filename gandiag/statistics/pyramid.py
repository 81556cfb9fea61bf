"""Laplacian pyramid of images: what each octave of detail holds (Burt and Adelson, 1983)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

SMALLEST = 16  # pixels of the shorter side of the last level
TAPS = (1.0, 4.0, 6.0, 4.0, 1.0)


def level_count(height: int, width: int) -> int:
    """How many levels images of this size have; 0 below 16 pixels."""
    count, side = 0, min(height, width)
    while side >= SMALLEST:
        count, side = count + 1, (side + 1) // 2
    return count


def laplacian_pyramid(images: Tensor, levels: int) -> list[Tensor]:
    """Bands (n, C, H, W) of float images from the finest detail to the coarsest, the last with all that is left."""
    bands = []
    for _ in range(levels - 1):
        smaller = _blurred(images)[:, :, ::2, ::2]
        bands.append(images - _enlarged(smaller, images))
        images = smaller
    return [*bands, images]


def _enlarged(images: Tensor, like: Tensor) -> Tensor:
    spread = torch.zeros_like(like)
    spread[:, :, ::2, ::2] = images
    return 4 * _blurred(spread)


def _blurred(images: Tensor) -> Tensor:
    taps = torch.tensor(TAPS, dtype=images.dtype, device=images.device) / sum(TAPS)
    count, channels, height, width = images.shape
    planes = pad(images.reshape(count * channels, 1, height, width), (2, 2, 2, 2), mode="reflect")
    planes = conv2d(conv2d(planes, taps.view(1, 1, 1, 5)), taps.view(1, 1, 5, 1))
    return planes.view(count, channels, height, width)
