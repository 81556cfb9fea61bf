"""Fully connected encoder of small images or of points."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import nn

from reference_models.networks.checks import whole, wholes

NAME = "mlp encoder"


def build(*, latent_dim: int, shape: Sequence[int], hidden: Sequence[int] = (256, 128)) -> nn.Module:
    """An encoder of samples (n, *shape) to (n, 2 latent_dim): means, then logarithms of variances.

    Args:
        latent_dim: numbers in one noise vector.
        shape: of one sample.
        hidden: widths of the hidden layers.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    widths = [prod(wholes(NAME, "shape", shape, lengths=(1, 3))), *wholes(NAME, "hidden", hidden)]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 2 * whole(NAME, "latent_dim", latent_dim)))
