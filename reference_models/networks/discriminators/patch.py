"""Discriminator that judges each patch of an image by itself."""

from __future__ import annotations

from torch import Tensor, nn

from reference_models.networks.checks import choice, whole
from reference_models.networks.norms import MAPS, map_norm

NAME = "patch discriminator"


class Discriminator(nn.Module):
    """Images (n, C, H, W) to the logits of their patches (n p,), patch by patch of an image after the other."""

    def __init__(self, channels: int, width: int, norm: str) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=norm == "none"),
            *map_norm(norm, 2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 3, padding=1, bias=norm == "none"),
            *map_norm(norm, 4 * width),
            nn.LeakyReLU(0.2),
        )
        self.head = nn.Conv2d(4 * width, 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n p,), positive means real."""
        logits: Tensor = self.head(self.body(images))
        return logits.flatten()


def build(*, channels: int, width: int = 32, norm: str = "instance") -> nn.Module:
    """A discriminator of images (n, channels, H, W) to the logits of their patches (n p,), positive for real.

    Source: the PatchGAN of arXiv:1611.07004 as CycleGAN has it, arXiv:1703.10593; here a patch is 26 pixels wide, for
    images of 28 to 64, and there is one for each 4 x 4 pixels.

    Args:
        channels: of the images.
        width: channels of the first map; the others have two and four times as many.
        norm: `instance`, `batch`, `layer` or `none`.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    choice(NAME, "norm", norm, MAPS)
    return Discriminator(whole(NAME, "channels", channels), whole(NAME, "width", width), norm)
