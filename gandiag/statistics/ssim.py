"""Multi-scale structural similarity of pairs of images (Wang, Simoncelli and Bovik, 2003).

Windows are Gaussian, 11 pixels wide with a deviation of 1.5, and lie inside the image; each scale halves the image by
averages of 2 x 2 pixels. An image of less than 176 pixels has fewer scales than five, and the weights of those that it
has are made to add up to 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11
DEVIATION = 1.5
RANGE = 255.0
STABLE_MEAN, STABLE_CONTRAST = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
PIXELS = 2**22  # of one side looked at together


def scales_of(height: int, width: int) -> int:
    """How many scales an image has: at each the window fits; 0 if it does not fit at all."""
    smallest = min(height, width)
    return 0 if smallest < WINDOW else min(len(WEIGHTS), int(math.log2(smallest / WINDOW)) + 1)


def single_scale_ssim(one: Tensor, other: Tensor) -> Tensor:
    """Similarity of each pair at the images' own scale, (n,), from -1 to 1 (Wang et al., 2004).

    Args:
        one, other: float64 (n, C, H, W) from 0 to 255, 11 pixels a side or more; the channels' similarities are
            averaged.
    """
    luminance, contrast = _terms(one, other)
    return (luminance * contrast).mean(dim=(1, 2, 3))


def multi_scale_ssim(one: Tensor, other: Tensor) -> Tensor:
    """Similarity of each pair, (n,), float64, from 0 to 1.

    Args:
        one, other: images (n, C, H, W) with values from 0 to 255; the channels' similarities are averaged. Each side
            is 11 pixels or more.
    """
    step = max(1, PIXELS // max(1, one[0].numel())) if len(one) else 1
    parts = zip(torch.split(one, step), torch.split(other, step), strict=True)
    return torch.cat([_of_some(left.double(), right.double()) for left, right in parts])


def _of_some(one: Tensor, other: Tensor) -> Tensor:
    scales = scales_of(*one.shape[2:])
    weights = [weight / sum(WEIGHTS[:scales]) for weight in WEIGHTS[:scales]]
    similarity = torch.ones(len(one), dtype=one.dtype, device=one.device)
    for scale, weight in enumerate(weights):
        luminance, contrast = _terms(one, other)
        last = scale == scales - 1
        term = (luminance * contrast if last else contrast).mean(dim=(1, 2, 3))
        similarity *= term.clamp_min(0) ** weight
        if not last:
            one, other = functional.avg_pool2d(one, 2), functional.avg_pool2d(other, 2)
    return similarity


def _terms(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Similarity of the local means, and that of what is around them, for each window."""
    stacked = torch.stack([one, other, one * one, other * other, one * other])
    mean, mean_other, square, square_other, product = _blurred(stacked.flatten(0, 2)[:, None]).view(
        5, *one.shape[:2], one.shape[2] - WINDOW + 1, one.shape[3] - WINDOW + 1
    )
    variances = square - mean * mean + square_other - mean_other * mean_other
    covariance = product - mean * mean_other
    contrast = (2 * covariance + STABLE_CONTRAST) / (variances + STABLE_CONTRAST)
    luminance = (2 * mean * mean_other + STABLE_MEAN) / (mean * mean + mean_other * mean_other + STABLE_MEAN)
    return luminance, contrast


def _blurred(planes: Tensor) -> Tensor:
    offsets = torch.arange(WINDOW, dtype=planes.dtype, device=planes.device) - WINDOW // 2
    window = (-offsets.square() / (2 * DEVIATION**2)).exp()
    window = window / window.sum()
    return functional.conv2d(functional.conv2d(planes, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
