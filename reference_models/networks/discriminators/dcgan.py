"""Convolutional discriminator of 28 x 28 images."""

from __future__ import annotations

from torch import nn

from reference_models.networks import initialisation as initial
from reference_models.networks.checks import choice, number, whole
from reference_models.networks.discriminators._discriminator import Discriminator
from reference_models.networks.labels import LabelMaps
from reference_models.networks.norms import MAPS, map_norm

NAME = "dcgan discriminator"
SIDE = 28
LAST = 4  # side of the last feature map: 28, 14, 7, 4


def build(
    *,
    channels: int,
    width: int = 16,
    norm: str = "batch",
    initialisation: str = "default",
    dropout: float = 0.0,
    num_classes: int | None = None,
) -> nn.Module:
    """A discriminator of images (n, channels, 28, 28) to logits (n,), positive for real.

    After DCGAN, arXiv:1511.06434: three strided convolutions with leaky rectifiers, no norm on the first.

    Args:
        channels: of the images.
        width: channels of the first feature map; the others have two and four times as many.
        norm: `batch`, `layer`, `instance`, or `none`; gradient penalties want one of the last three.
        initialisation: `default` for PyTorch's own, `normal` for the paper's N(0, 0.02).
        dropout: chance that a channel is left out after each convolution.
        num_classes: of labels that it takes beside the images, as one more channel; None for none.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    channels, width = whole(NAME, "channels", channels), whole(NAME, "width", width)
    choice(NAME, "norm", norm, MAPS)
    number(NAME, "dropout", dropout, 0.0, 0.99)
    condition = None if num_classes is None else LabelMaps(whole(NAME, "num_classes", num_classes), SIDE)
    dropped = [nn.Dropout2d(dropout)] if dropout else []
    body = nn.Sequential(
        nn.Conv2d(channels + (condition is not None), width, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        *dropped,
        *_halving(width, 2 * width, 4, norm),
        *dropped,
        *_halving(2 * width, 4 * width, 3, norm),
        *dropped,
        nn.Flatten(),
    )
    network = Discriminator(body, 4 * width * LAST * LAST, condition, LAST * LAST)
    if choice(NAME, "initialisation", initialisation, ("default", "normal")) == "normal":
        initial.normal(network)
    return network


def _halving(inputs: int, outputs: int, kernel: int, norm: str) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=2, padding=1, bias=norm == "none")
    return [convolution, *map_norm(norm, outputs), nn.LeakyReLU(0.2)]
