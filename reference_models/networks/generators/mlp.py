"""Fully connected generator of small images or of points."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from reference_models.networks.checks import choice, whole, wholes
from reference_models.networks.labels import JoinedLabels
from reference_models.networks.norms import VECTORS, vector_norm

NAME = "mlp generator"


class Generator(nn.Module):
    """Noise (n, latent_dim), and labels (n,) if any, to samples (n, *shape): images in [-1, 1], points anywhere."""

    def __init__(
        self, inputs: int, shape: Sequence[int], hidden: Sequence[int], norm: str, condition: nn.Module | None
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.condition = condition
        widths = [inputs, *hidden]
        layers: list[nn.Module] = []
        for narrow, wide in zip(widths, hidden, strict=False):
            layers += [nn.Linear(narrow, wide, bias=norm == "none"), *vector_norm(norm, wide), nn.ReLU()]
        layers.append(nn.Linear(widths[-1], prod(shape)))
        layers.extend([nn.Tanh()] if len(shape) == 3 else [])
        self.body = nn.Sequential(*layers)

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Samples (n, *shape) of noise (n, latent_dim)."""
        if self.condition is not None:
            noise = self.condition(noise, labels)
        samples: Tensor = self.body(noise)
        return samples.view(-1, *self.shape)


def build(
    *,
    latent_dim: int,
    shape: Sequence[int],
    hidden: Sequence[int] = (128, 256),
    norm: str = "batch",
    num_classes: int | None = None,
    label_dim: int = 16,
) -> nn.Module:
    """A generator of noise (n, latent_dim) to samples (n, *shape).

    After the first GAN, arXiv:1406.2661, with rectifiers and batch norm.

    Args:
        latent_dim: numbers in one noise vector.
        shape: of one sample: [channels, height, width] for images in [-1, 1], [d] for points.
        hidden: widths of the hidden layers.
        norm: `batch`, `layer` or `none`.
        num_classes: of labels that it takes beside the noise; None for none.
        label_dim: numbers that a label becomes.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    inputs, condition = whole(NAME, "latent_dim", latent_dim), None
    shape, hidden = wholes(NAME, "shape", shape, lengths=(1, 3)), wholes(NAME, "hidden", hidden)
    choice(NAME, "norm", norm, VECTORS)
    if num_classes is not None:
        condition = JoinedLabels(whole(NAME, "num_classes", num_classes), whole(NAME, "label_dim", label_dim))
        inputs += label_dim
    return Generator(inputs, shape, hidden, norm, condition)
