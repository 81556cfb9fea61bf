"""Convolutional generator of 28 x 28 images."""

from __future__ import annotations

from torch import Tensor, nn

from reference_models.networks import initialisation as initial
from reference_models.networks.checks import choice, whole
from reference_models.networks.labels import JoinedLabels
from reference_models.networks.norms import MAPS, map_norm

NAME = "dcgan generator"
SEED = 7  # side of the first feature map; two doublings make 28


class Generator(nn.Module):
    """Noise (n, latent_dim), and labels (n,) if any, to images (n, channels, 28, 28) in [-1, 1]."""

    def __init__(self, inputs: int, channels: int, width: int, norm: str, condition: nn.Module | None) -> None:
        super().__init__()
        self.width = width
        self.condition = condition
        self.seed = nn.Linear(inputs, width * SEED * SEED, bias=norm == "none")
        self.body = nn.Sequential(
            *_norm(width, norm),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1, bias=norm == "none"),
            *_norm(width // 2, norm),
            nn.ReLU(),
            nn.Conv2d(width // 2, 4 * channels, 3, padding=1),
            nn.PixelShuffle(2),
            nn.Tanh(),
        )

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (n, channels, 28, 28) of noise (n, latent_dim)."""
        if self.condition is not None:
            noise = self.condition(noise, labels)
        # Channels come last in memory already, the order in which convolutions are fastest on a CPU.
        seed: Tensor = self.seed(noise).view(-1, SEED, SEED, self.width).permute(0, 3, 1, 2)
        images: Tensor = self.body(seed)
        return images


def build(
    *,
    latent_dim: int,
    channels: int,
    width: int = 64,
    norm: str = "batch",
    initialisation: str = "default",
    num_classes: int | None = None,
    label_dim: int = 16,
) -> nn.Module:
    """A generator of noise (n, latent_dim) to images (n, channels, 28, 28) in [-1, 1].

    After DCGAN, arXiv:1511.06434, with the last doubling by the cheaper sub-pixel convolution of arXiv:1609.05158.

    Args:
        latent_dim: numbers in one noise vector.
        channels: of the images.
        width: channels of the 7 x 7 map; an even number.
        norm: `batch`, which keeps the images of a batch apart, `layer`, `instance` or `none`.
        initialisation: `default` for PyTorch's own, `normal` for the paper's N(0, 0.02).
        num_classes: of labels that it takes beside the noise; None for none.
        label_dim: numbers that a label becomes.

    Raises:
        InputError: an argument is not of its kind or range.
    """
    inputs, condition = whole(NAME, "latent_dim", latent_dim), None
    channels, width = whole(NAME, "channels", channels), whole(NAME, "width", width, least=2, multiple=2)
    choice(NAME, "norm", norm, MAPS)
    if num_classes is not None:
        condition = JoinedLabels(whole(NAME, "num_classes", num_classes), whole(NAME, "label_dim", label_dim))
        inputs += label_dim
    network = Generator(inputs, channels, width, norm, condition)
    if choice(NAME, "initialisation", initialisation, ("default", "normal")) == "normal":
        initial.normal(network)
    return network


def _norm(channels: int, norm: str) -> list[nn.Module]:
    # Without norm an identity keeps the places of the layers, and with them the names of their weights.
    return map_norm(norm, channels) or [nn.Identity()]
