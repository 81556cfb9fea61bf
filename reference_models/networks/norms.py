"""Normalisation layers by name, the same names in every network."""

from __future__ import annotations

from torch import nn

MAPS = ("batch", "layer", "instance", "none")  # of feature maps
VECTORS = ("batch", "layer", "none")  # of feature vectors


def map_norm(kind: str, channels: int) -> list[nn.Module]:
    """The layer for maps (n, channels, H, W), or no layer at all.

    `batch` (arXiv:1502.03167), `layer` over all channels and places of an image (arXiv:1607.06450), `instance` over the
    places of each channel (arXiv:1607.08022). A layer before it needs no bias.
    """
    layers: dict[str, list[nn.Module]] = {
        "batch": [nn.BatchNorm2d(channels)],
        "layer": [nn.GroupNorm(1, channels)],
        "instance": [nn.InstanceNorm2d(channels, affine=True)],
        "none": [],
    }
    return layers[kind]


def vector_norm(kind: str, width: int) -> list[nn.Module]:
    """The layer for vectors (n, width), or no layer at all."""
    layers: dict[str, list[nn.Module]] = {"batch": [nn.BatchNorm1d(width)], "layer": [nn.LayerNorm(width)], "none": []}
    return layers[kind]
