"""Residual discriminator of square images, without norm: StyleGAN2's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import cast

from torch import Tensor, nn

from reference_models.networks.checks import whole
from reference_models.networks.discriminators._discriminator import EqualisedDiscriminator
from reference_models.networks.equalised import LEAK, EqualisedConv2d, EqualisedLinear
from reference_models.networks.pyramid import pyramid, widths

NAME = "residual discriminator"


class Halving(nn.Module):
    """Maps (n, inputs, H, W) to (n, outputs, H / 2, W / 2), with a shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            EqualisedConv2d(inputs, inputs, 3),
            nn.LeakyReLU(LEAK),
            EqualisedConv2d(inputs, outputs, 3),
            nn.LeakyReLU(LEAK),
            nn.AvgPool2d(2),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), EqualisedConv2d(inputs, outputs, 1, gain=1.0))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (n, outputs, H / 2, W / 2)."""
        return cast(Tensor, (self.body(maps) + self.shortcut(maps)) / sqrt(2))


def build(*, shape: Sequence[int], width: int = 64) -> nn.Module:
    """A discriminator of images (n, *shape) to logits (n,), positive for real.

    Source: StyleGAN2, arXiv:1912.04958, figure 7, with averages of 2 x 2 pixels for its filters.

    Args:
        shape: (C, side, side) of the images.
        width: channels of the smallest map, and its features; each larger map has half as many, down to 16.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    channels, sides = pyramid(NAME, shape)
    counts = widths(whole(NAME, "width", width), sides)
    body = nn.Sequential(
        EqualisedConv2d(channels, counts[-1], 1),
        nn.LeakyReLU(LEAK),
        *(Halving(inputs, outputs) for outputs, inputs in reversed(list(pairwise(counts)))),
        EqualisedConv2d(counts[0], counts[0], 3),
        nn.LeakyReLU(LEAK),
        nn.Flatten(),
        EqualisedLinear(counts[0] * sides[0] ** 2, counts[0]),
        nn.LeakyReLU(LEAK),
    )
    return EqualisedDiscriminator(body, counts[0])
