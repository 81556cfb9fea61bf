"""From a generator's values to the bytes that a saved image would hold: rounded and clipped, never wrapped."""

from __future__ import annotations

import torch
from torch import Tensor

from gandiag.core.errors import InputError

OVERSHOOT = 0.05  # share of the range that a value may lie outside of it, as linear outputs do
WIDE, NARROW = 16, 0.01  # what stays within so small a share of so wide a range was made for another one
OVERSHOOT_SHARE = 0.01  # share of values that may lie further outside


def quantise(images: Tensor, limits: tuple[float, float]) -> Tensor:
    """Values from `low` to `high` as uint8 from 0 to 255."""
    low, high = limits
    return ((images - low) * (255 / (high - low))).round().clamp(0, 255).to(torch.uint8)


def check_range(images: Tensor, limits: tuple[float, float], name: str) -> None:
    """Raise InputError where the values of some images cannot be in the range that they are said to be in."""
    low, high = limits
    smallest, largest = float(images.min()), float(images.max())
    found = f"the images of {name} hold values from {smallest:.3g} to {largest:.3g}"
    margin = OVERSHOOT * (high - low)
    outside = ((images < low - margin) | (images > high + margin)).float().mean()
    if float(outside) > OVERSHOOT_SHARE:
        raise InputError(f"{found}, {float(outside):.0%} of them outside the declared range [{low:g}, {high:g}]")
    if smallest < largest and high - low > WIDE and largest - low <= NARROW * (high - low):
        message = f"{found}: all lie in the lowest {NARROW:.0%} of the declared range [{low:g}, {high:g}]"
        raise InputError(f"{message}; declare the range that the generator really has")
    if smallest >= (low + high) / 2 - 1e-6 and smallest < largest:
        message = f"{found}: none is in the lower half of the declared range [{low:g}, {high:g}]"
        raise InputError(f"{message}; declare the range that the generator really has")
