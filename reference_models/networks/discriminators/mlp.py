"""Fully connected discriminator of small images or of points."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from reference_models.networks.checks import wholes


class Discriminator(nn.Module):
    """Samples (n, *shape) to logits (n,)."""

    def __init__(self, shape: Sequence[int], hidden: Sequence[int]) -> None:
        super().__init__()
        widths = [prod(shape), *hidden]
        layers: list[nn.Module] = []
        for inputs, outputs in zip(widths, hidden, strict=False):
            layers.extend([nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)])
        self.body = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, samples: Tensor) -> Tensor:
        """Logits (n,) of samples (n, *shape); positive means real."""
        logits: Tensor = self.body(samples.flatten(1))
        return logits.squeeze(1)


def build(*, shape: Sequence[int], hidden: Sequence[int] = (256, 128)) -> nn.Module:
    """A discriminator of samples (n, *shape) to logits (n,), positive for real.

    After the first GAN, arXiv:1406.2661, with leaky rectifiers.

    Args:
        shape: of one sample: [channels, height, width] for images, [d] for points.
        hidden: widths of the hidden layers.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    return Discriminator(
        wholes("mlp discriminator", "shape", shape, lengths=(1, 3)), wholes("mlp discriminator", "hidden", hidden)
    )
