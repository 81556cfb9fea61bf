"""Fully connected generator of small images or of points."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from reference_models.networks.checks import choice, whole, wholes


class Generator(nn.Module):
    """Noise (n, latent_dim) to samples (n, *shape): images in [-1, 1], points anywhere."""

    def __init__(self, latent_dim: int, shape: Sequence[int], hidden: Sequence[int], norm: str) -> None:
        super().__init__()
        self.shape = tuple(shape)
        layers: list[nn.Module] = []
        for inputs, outputs in zip([latent_dim, *hidden], hidden, strict=False):
            layers.append(nn.Linear(inputs, outputs, bias=norm == "none"))
            layers.extend([nn.BatchNorm1d(outputs)] if norm == "batch" else [])
            layers.append(nn.ReLU())
        layers.append(nn.Linear([latent_dim, *hidden][-1], prod(shape)))
        layers.extend([nn.Tanh()] if len(shape) == 3 else [])
        self.body = nn.Sequential(*layers)

    def forward(self, noise: Tensor) -> Tensor:
        """Samples (n, *shape) of noise (n, latent_dim)."""
        samples: Tensor = self.body(noise)
        return samples.view(-1, *self.shape)


def build(
    *, latent_dim: int, shape: Sequence[int], hidden: Sequence[int] = (128, 256), norm: str = "batch"
) -> nn.Module:
    """A generator of noise (n, latent_dim) to samples (n, *shape).

    After the first GAN, arXiv:1406.2661, with rectifiers and batch norm.

    Args:
        latent_dim: numbers in one noise vector.
        shape: of one sample: [channels, height, width] for images in [-1, 1], [d] for points.
        hidden: widths of the hidden layers.
        norm: `batch` or `none`.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    return Generator(
        whole("mlp generator", "latent_dim", latent_dim),
        wholes("mlp generator", "shape", shape, lengths=(1, 3)),
        wholes("mlp generator", "hidden", hidden),
        choice("mlp generator", "norm", norm, ("batch", "none")),
    )
