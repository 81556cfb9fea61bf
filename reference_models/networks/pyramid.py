"""Resolutions of square images, each twice that before it, and networks that grow through them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import torch
from torch import Tensor, nn
from torch.nn import functional

from gandiag import InputError
from reference_models.networks.checks import wholes

FIRST = range(4, 16)  # sides that a pyramid may begin with
UNIT = 1024  # parts of a stage that its growth is counted in
FEWEST = 16  # channels of large maps


def pyramid(network: str, shape: object) -> tuple[int, list[int]]:
    """Channels of square images of a shape (C, side, side), and the sides from the first to their own.

    28 becomes 7, 14, 28 and 32 becomes 4, 8, 16, 32.

    Raises:
        InputError: it is no such shape, or it cannot be halved down to a small side.
    """
    if isinstance(shape, Sequence) and len(shape) == 1:
        raise InputError(f"{network} is for images, and these samples are points; choose another network or --dataset")
    channels, height, width = wholes(network, "shape", shape, lengths=(3,))
    found = [height]
    while found[0] % 2 == 0 and found[0] // 2 >= FIRST.start:
        found.insert(0, found[0] // 2)
    if height != width or found[0] not in FIRST:
        message = f"{network}: images of {height} x {width}, expected square ones whose side can be halved to"
        raise InputError(f"{message} {FIRST.start} to {FIRST.stop - 1}, such as 28, 32 or 64")
    return channels, found


def widths(width: int, sides: Sequence[int]) -> list[int]:
    """Channels at each side: `width` at the first, half as many at each next, down to 16."""
    return [max(width >> index, min(width, FEWEST)) for index in range(len(sides))]


def enlarged(images: Tensor, side: int) -> Tensor:
    """Images (n, C, s, s) with each pixel repeated, so that they are (n, C, side, side)."""
    factor = side // images.shape[-1]
    return images if factor == 1 else functional.interpolate(images, scale_factor=factor, mode="nearest")


def reduced(images: Tensor, side: int) -> Tensor:
    """Images (n, C, s, s) with pixels averaged, so that they are (n, C, side, side); undoes `enlarged`."""
    factor = images.shape[-1] // side
    return images if factor == 1 else functional.avg_pool2d(images, factor)


class Growing(nn.Module):
    """A network that grows: stage 0 is the smallest side, and stage k fades in while the growth goes from k - 1 to k.

    The growth is a buffer, so that a checkpoint has it; of whole numbers, so that an average of weights copies it.
    A new network is grown up.

    Args:
        stages: how many sides there are.
    """

    growth: Tensor

    def __init__(self, stages: int) -> None:
        super().__init__()
        self.last = stages - 1
        self.register_buffer("growth", torch.tensor(self.last * UNIT))

    def grow(self, growth: float) -> None:
        """Be as far as that, from 0 to `last`."""
        self.growth.fill_(round(growth * UNIT))

    def stage(self) -> tuple[int, float]:
        """The stage, and from 0 to 1 how far it has faded in; 1 for stage 0."""
        return stage_of(int(self.growth) / UNIT)


def stage_of(growth: float) -> tuple[int, float]:
    """The stage of a growth, and how far it has faded in."""
    stage = ceil(growth)
    return stage, growth - stage + 1
