"""Discriminator that grows with the progressive generator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from reference_models.networks.checks import whole
from reference_models.networks.discriminators._discriminator import EqualisedDiscriminator
from reference_models.networks.equalised import LEAK, EqualisedConv2d, EqualisedLinear
from reference_models.networks.pyramid import Growing, pyramid, reduced, widths

NAME = "progressive discriminator"


class Body(Growing):
    """Images (n, channels, side, side) to features (n, width); it looks at them at the side of its stage."""

    def __init__(self, channels: int, sides: Sequence[int], width: int) -> None:
        super().__init__(len(sides))
        self.sides = list(sides)
        counts = widths(width, sides)
        self.readers = nn.ModuleList(
            nn.Sequential(EqualisedConv2d(channels, count, 1), nn.LeakyReLU(LEAK)) for count in counts
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*_layer(inputs, inputs), *_layer(inputs, outputs), nn.AvgPool2d(2))
            for outputs, inputs in pairwise(counts)
        )
        self.end = nn.Sequential(
            *_layer(width, width), nn.Flatten(), EqualisedLinear(width * sides[0] ** 2, width), nn.LeakyReLU(LEAK)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Features (n, width)."""
        stage, alpha = self.stage()
        maps = self.readers[stage](reduced(images, self.sides[stage]))
        for index in reversed(range(stage)):
            maps = self.blocks[index](maps)
            if index == stage - 1 and alpha < 1:
                maps = torch.lerp(self.readers[index](reduced(images, self.sides[index])), maps, alpha)
        features: Tensor = self.end(maps)
        return features


def build(*, shape: Sequence[int], width: int = 64) -> nn.Module:
    """A discriminator of images (n, *shape) to logits (n,), positive for real.

    Source: progressive growing, arXiv:1710.10196. Its minibatch standard deviation is the technique of that name.

    Args:
        shape: (C, side, side) of the images.
        width: channels of the smallest map, and its features; each larger map has half as many, down to 16.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    channels, sides = pyramid(NAME, shape)
    width = whole(NAME, "width", width)
    return EqualisedDiscriminator(Body(channels, sides, width), width)


def _layer(inputs: int, outputs: int) -> list[nn.Module]:
    return [EqualisedConv2d(inputs, outputs, 3), nn.LeakyReLU(LEAK)]
