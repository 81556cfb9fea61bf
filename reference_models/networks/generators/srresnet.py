"""Residual network that makes images larger: the generator of SRGAN."""

from __future__ import annotations

from collections.abc import Sequence
from reprlib import repr as brief
from typing import cast

from torch import Tensor, nn

from gandiag import InputError
from reference_models.networks.checks import choice, whole, wholes
from reference_models.networks.norms import MAPS, map_norm
from reference_models.networks.resampling import bicubic

NAME = "srresnet generator"


class Residual(nn.Module):
    """Two convolutions with a shortcut around them."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(width, width, 3, norm),
            *map_norm(norm, width),
            nn.PReLU(),
            _convolution(width, width, 3, norm),
            *map_norm(norm, width),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (n, width, H, W)."""
        return cast(Tensor, maps + self.body(maps))


class Generator(nn.Module):
    """Images (n, C, H, W) in [-1, 1] to (n, C, scale H, scale W); in evaluation mode in [-1, 1] too."""

    def __init__(self, channels: int, scale: int, width: int, blocks: int, norm: str, interpolated: bool) -> None:
        super().__init__()
        self.scale, self.interpolated = scale, interpolated
        self.begin = nn.Sequential(nn.Conv2d(channels, width, 5, padding=2), nn.PReLU())
        end = _convolution(width, width, 3, norm)
        self.middle = nn.Sequential(*(Residual(width, norm) for _ in range(blocks)), end, *map_norm(norm, width))
        doublings: list[nn.Module] = []
        for _ in range(scale.bit_length() - 1):
            doublings += [nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()]
        self.end = nn.Sequential(*doublings, nn.Conv2d(width, channels, 5, padding=2))
        if interpolated:  # it begins as the interpolation
            last = cast(nn.Conv2d, self.end[-1])
            nn.init.zeros_(last.weight)
            nn.init.zeros_(cast(nn.Parameter, last.bias))

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, C, scale H, scale W) of images (n, C, H, W)."""
        maps = self.begin(images)
        made: Tensor = self.end(maps + self.middle(maps))
        if self.interpolated:
            made = made + bicubic(images, self.scale)
        return made if self.training else made.clamp(-1, 1)


def build(
    *,
    input_shape: Sequence[int],
    scale: int,
    width: int = 32,
    blocks: int = 4,
    norm: str = "none",
    interpolated: bool = True,
) -> nn.Module:
    """A generator of images (n, *input_shape) in [-1, 1] to images `scale` times as large.

    Source: SRResNet of arXiv:1609.04802, figure 4, with sub-pixel convolutions; smaller, and by default without batch
    norm (arXiv:1809.00219) and with the interpolated input added at the end (arXiv:1511.04587).

    Args:
        input_shape: (C, H, W) of the images that it is given.
        scale: 2, 4 or 8.
        width: channels of the maps.
        blocks: residual blocks.
        norm: `batch`, `layer`, `instance` or `none`.
        interpolated: whether the network gives what is added to bicubic interpolation, or the whole image.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    if scale not in (2, 4, 8) or isinstance(scale, bool):
        raise InputError(f"{NAME}: scale is {brief(scale)}, expected 2, 4 or 8")
    if not isinstance(interpolated, bool):
        raise InputError(f"{NAME}: interpolated is {brief(interpolated)}, expected true or false")
    channels = wholes(NAME, "input_shape", input_shape, lengths=(3,))[0]
    choice(NAME, "norm", norm, MAPS)
    return Generator(channels, scale, whole(NAME, "width", width), whole(NAME, "blocks", blocks), norm, interpolated)


def _convolution(inputs: int, outputs: int, kernel: int, norm: str) -> nn.Module:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=norm == "none")
