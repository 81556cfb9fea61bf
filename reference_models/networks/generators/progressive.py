"""Generator that grows from a small side to the images' own, each stage fading in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from reference_models.networks.checks import whole
from reference_models.networks.equalised import LEAK, EqualisedConv2d, EqualisedLinear, PixelNorm
from reference_models.networks.pyramid import Growing, enlarged, pyramid, widths

NAME = "progressive generator"


class Generator(Growing):
    """Noise (n, latent_dim) to images (n, channels, side, side) in [-1, 1].

    While it grows its images are those of the stage with repeated pixels, so that they always have the full side.
    """

    def __init__(self, latent_dim: int, channels: int, sides: Sequence[int], width: int) -> None:
        super().__init__(len(sides))
        self.sides = list(sides)
        counts = widths(width, sides)
        self.seed = nn.Sequential(
            PixelNorm(),
            EqualisedLinear(latent_dim, counts[0] * sides[0] ** 2),
            nn.Unflatten(1, (counts[0], sides[0], sides[0])),
            nn.LeakyReLU(LEAK),
            PixelNorm(),
            *_layer(counts[0], counts[0]),
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2), *_layer(inputs, outputs), *_layer(outputs, outputs))
            for inputs, outputs in pairwise(counts)
        )
        self.painters = nn.ModuleList(EqualisedConv2d(count, channels, 1, gain=1.0) for count in counts)

    def forward(self, noise: Tensor) -> Tensor:
        """Images (n, channels, side, side) of noise (n, latent_dim)."""
        stage, alpha = self.stage()
        maps, before = self.seed(noise), None
        for index in range(stage):
            before, maps = maps, self.blocks[index](maps)
        images: Tensor = self.painters[stage](maps)
        if before is not None and alpha < 1:
            old = enlarged(self.painters[stage - 1](before), self.sides[stage])
            images = torch.lerp(old, images, alpha)
        return enlarged(images, self.sides[-1]).tanh()


def build(*, latent_dim: int, shape: Sequence[int], width: int = 64) -> nn.Module:
    """A generator of noise (n, latent_dim) to images (n, *shape) in [-1, 1].

    Source: progressive growing, arXiv:1710.10196: pixel norm, equalised learning rate. Other than there a hyperbolic
    tangent ends it, so that no image leaves its range. The technique `progressive_growing` makes it grow; without it,
    it is grown up from the start.

    Args:
        latent_dim: numbers in one noise vector.
        shape: (C, side, side) of the images.
        width: channels of the smallest map; each larger one has half as many, down to 16.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    channels, sides = pyramid(NAME, shape)
    return Generator(whole(NAME, "latent_dim", latent_dim), channels, sides, whole(NAME, "width", width))


def _layer(inputs: int, outputs: int) -> list[nn.Module]:
    return [EqualisedConv2d(inputs, outputs, 3), nn.LeakyReLU(LEAK), PixelNorm()]
