"""Fully connected discriminator of small images or of points."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import nn

from reference_models.networks.checks import choice, number, whole, wholes
from reference_models.networks.discriminators._discriminator import Discriminator
from reference_models.networks.labels import JoinedLabels
from reference_models.networks.norms import VECTORS, vector_norm

NAME = "mlp discriminator"


def build(
    *,
    shape: Sequence[int],
    hidden: Sequence[int] = (256, 128),
    norm: str = "none",
    dropout: float = 0.0,
    num_classes: int | None = None,
    label_dim: int = 16,
) -> nn.Module:
    """A discriminator of samples (n, *shape) to logits (n,), positive for real.

    After the first GAN, arXiv:1406.2661, with leaky rectifiers.

    Args:
        shape: of one sample: [channels, height, width] for images, [d] for points.
        hidden: widths of the hidden layers.
        norm: `none`, `batch` or `layer`; none on the first layer.
        dropout: chance that a hidden unit is left out.
        num_classes: of labels that it takes beside the samples; None for none.
        label_dim: numbers that a label becomes.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    size = prod(wholes(NAME, "shape", shape, lengths=(1, 3)))
    hidden = wholes(NAME, "hidden", hidden)
    choice(NAME, "norm", norm, VECTORS)
    number(NAME, "dropout", dropout, 0.0, 0.99)
    condition = None
    if num_classes is not None:
        condition = JoinedLabels(whole(NAME, "num_classes", num_classes), whole(NAME, "label_dim", label_dim))
        size += label_dim
    layers: list[nn.Module] = [nn.Flatten()]
    for index, (inputs, outputs) in enumerate(zip([size, *hidden], hidden, strict=False)):
        kind = "none" if index == 0 else norm
        layers += [nn.Linear(inputs, outputs, bias=kind == "none"), *vector_norm(kind, outputs), nn.LeakyReLU(0.2)]
        layers += [nn.Dropout(dropout)] if dropout else []
    return Discriminator(nn.Sequential(*layers), [size, *hidden][-1], condition)
