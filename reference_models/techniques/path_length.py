"""Path-length regularisation: a step in style space changes the image by the same length everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import nan, sqrt
from typing import Any, cast

import torch
from torch import Tensor, nn

from gandiag import UsageError
from reference_models.techniques._technique import Technique, Turn, positive, whole


class PathLength(Technique):
    """Source: StyleGAN2, arXiv:1912.04958, section 3.2, equation 4.

    Args:
        weight: of the squared deviation from the mean length.
        interval: it is taken at each `interval`-th update of the generator, times `interval`.
        decay: of the running mean of lengths: the part that a batch counts.
        shrink: it takes the first of so many parts of the batch.
    """

    def __init__(self, weight: float = 2.0, interval: int = 4, decay: float = 0.01, shrink: int = 2) -> None:
        self.weight = positive("path_length", "weight", weight)
        self.interval = whole("path_length", "interval", interval)
        self.decay = positive("path_length", "decay", decay, high=1.0)
        self.shrink = whole("path_length", "shrink", shrink)
        self._mean = torch.full((), nan)

    def alter_generator(self, network: nn.Module) -> None:
        """Refuse a generator without styles."""
        if not (hasattr(network, "styles") and hasattr(network, "synthesise")):
            raise UsageError("technique path_length needs a generator with styles: the network `stylegan`")

    def generator_loss(self, loss: Tensor, turn: Turn) -> Tensor:
        """The loss and, at each `interval`-th update, the penalty."""
        if turn.moment.update % self.interval:
            return loss
        noise = turn.noise[: max(1, len(turn.noise) // self.shrink)]
        generator = cast(Any, turn.generator)
        with torch.autocast(turn.moment.device.type, enabled=False):
            styles = generator.styles(noise)
            lengths = path_lengths(generator.synthesise, styles, turn.moment.draw("path length"))
            now, before = lengths.detach().mean(), self._mean.to(lengths)
            # The authors' code begins at 0, which pulls all lengths down until the mean has risen.
            mean = torch.where(before.isnan(), now, torch.lerp(before, now, self.decay))
            self._mean = mean
            return loss + self.weight * self.interval * (lengths - mean).square().mean()

    def state(self) -> dict[str, Tensor]:
        """The running mean."""
        return {"mean": self._mean}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self._mean = state["mean"].clone()


def path_lengths(synthesise: Callable[[Tensor], Tensor], styles: Tensor, source: torch.Generator) -> Tensor:
    """How far each image moves for a step of its styles: (n,) of styles (n, layers, dim); differentiable.

    It is the norm of the Jacobian's transpose times a random image of length 1 in the mean, the root of the mean square
    over the layers.
    """
    images = synthesise(styles)
    direction = torch.randn(images.shape, generator=source).to(images) / sqrt(images[0, 0].numel())
    (gradient,) = torch.autograd.grad((images * direction).sum(), styles, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()


TECHNIQUE = PathLength
