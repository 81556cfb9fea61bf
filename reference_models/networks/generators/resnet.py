"""Residual network from images to images of the same size: the generator of CycleGAN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from gandiag import InputError
from reference_models.networks.checks import choice, whole, wholes
from reference_models.networks.norms import MAPS, map_norm

NAME = "resnet generator"


class Residual(nn.Module):
    """Two convolutions with a shortcut around them."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        self.body = nn.Sequential(*_layer(width, width, norm), *_layer(width, width, norm)[:-1])

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (n, width, H, W)."""
        return cast(Tensor, maps + self.body(maps))


class Generator(nn.Module):
    """Images (n, C, H, W) to images (n, C, H, W) in [-1, 1]."""

    def __init__(self, channels: int, width: int, blocks: int, norm: str) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(channels, width, 7, bias=norm == "none"),
            *map_norm(norm, width),
            nn.ReLU(),
        ]
        for inputs in (width, 2 * width):
            down = nn.Conv2d(inputs, 2 * inputs, 3, stride=2, padding=1, bias=norm == "none")
            layers += [down, *map_norm(norm, 2 * inputs), nn.ReLU()]
        layers += [Residual(4 * width, norm) for _ in range(blocks)]
        for inputs in (4 * width, 2 * width):
            half, bias = inputs // 2, norm == "none"
            up = nn.ConvTranspose2d(inputs, half, 3, stride=2, padding=1, output_padding=1, bias=bias)
            layers += [up, *map_norm(norm, half), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh())

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, C, H, W) of images (n, C, H, W)."""
        made: Tensor = self.body(images)
        return made


def build(*, input_shape: Sequence[int], width: int = 16, blocks: int = 3, norm: str = "instance") -> nn.Module:
    """A generator of images (n, *input_shape) in [-1, 1] to such images.

    Source: CycleGAN, arXiv:1703.10593, appendix 7.2, with fewer channels and blocks.

    Args:
        input_shape: (C, H, W) of the images; H and W are multiples of 4.
        width: channels of the largest maps; the others have two and four times as many.
        blocks: residual blocks; the paper has 6 and 9.
        norm: `instance`, `batch`, `layer` or `none`.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    channels, height, length = wholes(NAME, "input_shape", input_shape, lengths=(3,))
    if height % 4 or length % 4 or min(height, length) < 8:
        raise InputError(f"{NAME}: images of {height} x {length}, expected sides that 4 divides, of 8 or more")
    choice(NAME, "norm", norm, MAPS)
    return Generator(channels, whole(NAME, "width", width), whole(NAME, "blocks", blocks), norm)


def _layer(inputs: int, outputs: int, norm: str) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, bias=norm == "none")
    return [nn.ReflectionPad2d(1), convolution, *map_norm(norm, outputs), nn.ReLU()]
