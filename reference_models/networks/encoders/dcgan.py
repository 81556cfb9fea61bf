"""Convolutional encoder of 28 x 28 images: the discriminator's layers with another head."""

from __future__ import annotations

from torch import nn

from reference_models.networks.checks import whole

NAME = "dcgan encoder"
LAST = 4  # side of the last feature map: 28, 14, 7, 4


def build(*, latent_dim: int, channels: int, width: int = 16) -> nn.Module:
    """An encoder of images (n, channels, 28, 28) to (n, 2 latent_dim): means, then logarithms of variances.

    Args:
        latent_dim: numbers in one noise vector.
        channels: of the images.
        width: channels of the first feature map; the others have two and four times as many.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    channels, width = whole(NAME, "channels", channels), whole(NAME, "width", width)
    layers: list[nn.Module] = []
    for inputs, outputs, kernel in ((channels, width, 4), (width, 2 * width, 4), (2 * width, 4 * width, 3)):
        layers += [nn.Conv2d(inputs, outputs, kernel, stride=2, padding=1), nn.LeakyReLU(0.2)]
    head = nn.Linear(4 * width * LAST * LAST, 2 * whole(NAME, "latent_dim", latent_dim))
    return nn.Sequential(*layers, nn.Flatten(), head)
