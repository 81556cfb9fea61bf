"""Style-based generator: a mapping network, modulated convolutions and noise inputs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from reference_models.networks.checks import whole
from reference_models.networks.equalised import LEAK, RECTIFIED, EqualisedLinear, PixelNorm
from reference_models.networks.pyramid import pyramid, widths

NAME = "stylegan generator"
MAPPING_RATE = 0.01  # of the learning rate, for the mapping network: arXiv:1812.04948, appendix C


class ModulatedConv2d(nn.Module):
    """A convolution whose weights a style scales, and then demodulates so that variances stay.

    Scaling input and output of a convolution with shared weights is the same as scaling the weights for each sample,
    and faster. Source: StyleGAN2, arXiv:1912.04958, equations 1 and 3.

    Args:
        inputs: channels.
        outputs: channels that it gives.
        kernel: its odd side.
        style_dim: numbers in a style.
        demodulate: whether the weights of each output channel get norm 1 after the style scaled them.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, style_dim: int, demodulate: bool = True) -> None:
        super().__init__()
        self.style = EqualisedLinear(style_dim, inputs, gain=1.0, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.scale, self.demodulate, self.padding = 1 / sqrt(inputs * kernel * kernel), demodulate, kernel // 2

    def forward(self, maps: Tensor, style: Tensor) -> Tensor:
        """Maps (n, outputs, H, W) of maps (n, inputs, H, W) and styles (n, style_dim)."""
        scales, weight = self.style(style), self.weight * self.scale
        made = functional.conv2d(maps * scales[:, :, None, None], weight, padding=self.padding)
        if not self.demodulate:
            return made
        norms = scales.square() @ weight.square().sum((2, 3)).T
        return cast(Tensor, made * (norms + 1e-8).rsqrt()[:, :, None, None])


class StyledLayer(nn.Module):
    """A modulated convolution, noise and a rectifier.

    In training the noise is new for each sample; in evaluation mode it is a buffer, the same for all, so that an image
    depends on its latent alone.

    Args:
        inputs: channels.
        outputs: channels that it gives.
        side: of its maps.
        style_dim: numbers in a style.
    """

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, side: int, style_dim: int) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(inputs, outputs, 3, style_dim)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("noise", torch.randn(side, side))

    def forward(self, maps: Tensor, style: Tensor) -> Tensor:
        """Maps (n, outputs, side, side)."""
        made: Tensor = self.convolution(maps, style)
        noise = torch.randn_like(made[:, :1]) if self.training else self.noise
        made = made + self.strength * noise + self.bias[:, None, None]
        return functional.leaky_relu(made, LEAK) * RECTIFIED


class Generator(nn.Module):
    """Noise (n, latent_dim) to images (n, channels, side, side) in [-1, 1].

    Args:
        latent_dim: numbers in one noise vector.
        channels: of the images.
        sides: from the first to that of the images.
        width: channels of the first maps.
        style_dim: numbers in a style.
        mapping_layers: of the network from noise to styles.

    `mixing` is the chance that a sample in training has styles of two latents; a technique sets it.
    """

    def __init__(
        self, latent_dim: int, channels: int, sides: Sequence[int], width: int, style_dim: int, mapping_layers: int
    ) -> None:
        super().__init__()
        self.mixing = 0.0
        counts = widths(width, sides)
        sizes = [latent_dim, *[style_dim] * mapping_layers]
        layers: list[nn.Module] = [PixelNorm()]
        for inputs, outputs in pairwise(sizes):
            layers += [EqualisedLinear(inputs, outputs, rate=MAPPING_RATE), nn.LeakyReLU(LEAK)]
        self.mapping = nn.Sequential(*layers)
        self.start = nn.Parameter(torch.randn(1, counts[0], sides[0], sides[0]))
        # One layer at the first side, two at each other one; the last of a side also colours it.
        self.layers = nn.ModuleList([StyledLayer(counts[0], counts[0], sides[0], style_dim)])
        for inputs, outputs, side in zip(counts, counts[1:], sides[1:], strict=False):
            self.layers.append(StyledLayer(inputs, outputs, side, style_dim))
            self.layers.append(StyledLayer(outputs, outputs, side, style_dim))
        self.painters = nn.ModuleList(ModulatedConv2d(count, channels, 1, style_dim, False) for count in counts)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, noise: Tensor) -> Tensor:
        """Images (n, channels, side, side) of noise (n, latent_dim)."""
        return self.synthesise(self.styles(noise))

    def styles(self, noise: Tensor) -> Tensor:
        """Styles (n, layers, style_dim) of noise (n, latent_dim): one vector for all layers, or two where mixed."""
        own = cast(Tensor, self.mapping(noise))
        styles = own[:, None].expand(-1, len(self.layers), -1)
        if not (self.training and self.mixing):
            return styles
        # The second latent is that of the neighbour in the batch, so that it comes from the same prior.
        count, places = len(noise), torch.arange(len(self.layers), device=noise.device)
        mixed = torch.rand(count, 1, device=noise.device) < self.mixing
        crossing = torch.randint(1, len(self.layers), (count, 1), device=noise.device)
        return torch.where((mixed & (places >= crossing))[..., None], styles.roll(1, 0), styles)

    def synthesise(self, styles: Tensor) -> Tensor:
        """Images (n, channels, side, side) of styles (n, layers, style_dim)."""
        maps = self.start.expand(len(styles), -1, -1, -1)
        maps = self.layers[0](maps, styles[:, 0])
        images = self.painters[0](maps, styles[:, 0])
        for index, painter in enumerate(self.painters[1:]):
            first, second = 2 * index + 1, 2 * index + 2
            maps = self.layers[first](_doubled(maps), styles[:, first])
            maps = self.layers[second](maps, styles[:, second])
            images = _doubled(images) + painter(maps, styles[:, second])
        return cast(Tensor, (images + self.bias[:, None, None]).tanh())


def build(
    *,
    latent_dim: int,
    shape: Sequence[int],
    width: int = 64,
    style_dim: int = 64,
    mapping_layers: int = 4,
) -> nn.Module:
    """A generator of noise (n, latent_dim) to images (n, *shape) in [-1, 1].

    Sources: StyleGAN, arXiv:1812.04948, for mapping network, noise inputs and style mixing; StyleGAN2,
    arXiv:1912.04958, for demodulation and the sum of images over the sides. Other than there a hyperbolic tangent ends
    it, so that no image leaves its range.

    Args:
        latent_dim: numbers in one noise vector.
        shape: (C, side, side) of the images.
        width: channels of the smallest map; each larger one has half as many, down to 16.
        style_dim: numbers in a style.
        mapping_layers: of the mapping network; the papers have 8.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    channels, sides = pyramid(NAME, shape)
    return Generator(
        whole(NAME, "latent_dim", latent_dim),
        channels,
        sides,
        whole(NAME, "width", width),
        whole(NAME, "style_dim", style_dim),
        whole(NAME, "mapping_layers", mapping_layers),
    )


def _doubled(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
