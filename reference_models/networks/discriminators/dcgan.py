"""Convolutional discriminator of 28 x 28 images."""

from __future__ import annotations

from torch import Tensor, nn

from reference_models.networks import initialisation as initial
from reference_models.networks.checks import choice, whole

LAST = 4  # side of the last feature map: 28, 14, 7, 4


class Discriminator(nn.Module):
    """Images (n, channels, 28, 28) to logits (n,)."""

    def __init__(self, channels: int, width: int, norm: str) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            *_halving(width, 2 * width, 4, norm),
            *_halving(2 * width, 4 * width, 3, norm),
        )
        self.head = nn.Linear(4 * width * LAST * LAST, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n,) of images (n, channels, 28, 28); positive means real."""
        logits: Tensor = self.head(self.body(images).flatten(1))
        return logits.squeeze(1)


def build(*, channels: int, width: int = 16, norm: str = "batch", initialisation: str = "default") -> nn.Module:
    """A discriminator of images (n, channels, 28, 28) to logits (n,), positive for real.

    After DCGAN, arXiv:1511.06434: three strided convolutions with leaky rectifiers, no norm on the first.

    Args:
        channels: of the images.
        width: channels of the first feature map; the others have two and four times as many.
        norm: `batch`, or `none` as gradient penalties want it.
        initialisation: `default` for PyTorch's own, `normal` for the paper's N(0, 0.02).

    Raises:
        InputError: an argument is not of its kind or range.
    """
    network = Discriminator(
        whole("dcgan discriminator", "channels", channels),
        whole("dcgan discriminator", "width", width),
        choice("dcgan discriminator", "norm", norm, ("batch", "none")),
    )
    if choice("dcgan discriminator", "initialisation", initialisation, ("default", "normal")) == "normal":
        initial.normal(network)
    return network


def _halving(inputs: int, outputs: int, kernel: int, norm: str) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=2, padding=1, bias=norm == "none")
    normalisation = [nn.BatchNorm2d(outputs)] if norm == "batch" else []
    return [convolution, *normalisation, nn.LeakyReLU(0.2)]
