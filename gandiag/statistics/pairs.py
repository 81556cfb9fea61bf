"""Pairs of images, one made and one wanted: how far they are from each other, and what a score says of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gandiag.core.errors import InputError
from gandiag.statistics.feature_bank import FeatureBank, images_of, in_memory

PEAK = 255.0
PIXELS = 2**22  # of one side looked at together
SHOWN = 5  # pairs that the details name at each end


def pairs_of(bank: FeatureBank, one: str, other: str) -> tuple[Tensor, Tensor]:
    """Two heads of a bank as images of one shape, uint8 (n, C, H, W) both, on one device.

    Grey images are repeated for each channel of the others.

    Raises:
        InputError: one is missing, or the shapes or the numbers differ.
    """
    left, right = (_head(bank, name) for name in (one, other))
    if len(left) != len(right):
        raise InputError(f"{len(left)} {one} and {len(right)} {other} are no pairs")
    if left.ndim != 4 or right.ndim != 4 or left.shape[2:] != right.shape[2:]:
        raise InputError(f"{one} of the shape {tuple(left.shape[1:])} and {other} of {tuple(right.shape[1:])} differ")
    if left.shape[1] != right.shape[1] and 1 not in (left.shape[1], right.shape[1]):
        raise InputError(f"{one} have {left.shape[1]} channels, and {other} {right.shape[1]}")
    channels = max(left.shape[1], right.shape[1])
    return left.expand(-1, channels, -1, -1), right.to(left.device).expand(-1, channels, -1, -1)


def _head(bank: FeatureBank, name: str) -> Tensor:
    if name == "images":
        return images_of(bank)
    values = getattr(bank, name)
    if values is None:
        raise InputError(f"this metric needs {name}, and the bank holds none")
    return in_memory(values)


def by_pair(measure: Callable[[Tensor, Tensor], Tensor], one: Tensor, other: Tensor) -> Tensor:
    """A measure of each pair, float64 (n,) on the CPU, a part of the pairs at a time."""
    if not len(one):
        return torch.empty(0, dtype=torch.float64)
    step = max(1, PIXELS // max(1, one[0].numel()))
    parts = zip(torch.split(one, step), torch.split(other, step), strict=True)
    return torch.cat([measure(left.double(), right.double()).cpu() for left, right in parts])


def squared_errors(one: Tensor, other: Tensor) -> Tensor:
    """Mean squared difference of each pair, in squared grey levels."""
    return by_pair(lambda left, right: (left - right).square().mean(dim=(1, 2, 3)), one, other)


def absolute_errors(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference of each pair, from 0 to 1."""
    return by_pair(lambda left, right: (left - right).abs().mean(dim=(1, 2, 3)) / PEAK, one, other)


def decibels(errors: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of mean squared errors; infinite for 0."""
    return 10 * torch.log10(PEAK**2 / errors)


def mean_error(values: Tensor) -> tuple[float | None, str]:
    """Standard error of the mean of independent pairs, and its method."""
    if len(values) < 2:
        return None, "none: one pair says nothing of others"
    return float(values.std()) / math.sqrt(len(values)), "independent pairs"


def ends(values: Tensor, *, higher_is_better: bool) -> dict[str, Any]:
    """The worst and the best pairs by their index, for the details; those without a finite value come first or last."""
    order = torch.argsort(values, descending=not higher_is_better, stable=True).tolist()
    count = min(SHOWN, len(order))

    def listed(places: list[int]) -> list[dict[str, Any]]:
        found = [(place, float(values[place])) for place in places]
        return [{"index": place, "value": value if math.isfinite(value) else None} for place, value in found]

    return {"worst": listed(order[:count]), "best": listed(order[::-1][:count])}


def enlarged(inputs: Tensor, shape: tuple[int, ...]) -> Tensor | None:
    """Inputs at the size of their targets by bicubic interpolation (Keys, 1981, a = -0.5, as Pillow's and MATLAB's).

    Args:
        inputs: uint8 (n, C, h, w).
        shape: (C, H, W) of the targets.

    Returns:
        uint8 (n, C, H, W); None where H / h and W / w are not one whole number of 2 or more, or the channels differ.
    """
    height, width = inputs.shape[2:]
    scale = shape[1] // height
    if scale < 2 or shape[1:] != (scale * height, scale * width) or inputs.shape[1] not in (1, shape[0]):
        return None
    step = max(1, PIXELS // max(1, shape[1] * shape[2]))
    # With antialias=True PyTorch takes a = -0.5; without it a = -0.75.
    parts = [
        functional.interpolate(part.float(), size=shape[1:], mode="bicubic", align_corners=False, antialias=True)
        .round()
        .clamp(0, 255)
        .byte()
        for part in torch.split(inputs, step)
    ]
    return torch.cat(parts).expand(-1, shape[0], -1, -1) if parts else None
