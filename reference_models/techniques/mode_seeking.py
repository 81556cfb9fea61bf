"""The generator is paid for samples that differ as their noise does."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gandiag import Latent
from reference_models.techniques._technique import Setting, Technique, Turn, positive


class ModeSeeking(Technique):
    """Source: MSGAN, arXiv:1903.05628, in the form of the authors' code: the inverse of the ratio of the distances.

    Args:
        weight: of the term.
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = positive("mode_seeking", "weight", weight)
        self._latent: Any = Latent(1)

    def begin(self, setting: Setting) -> None:
        """Note what noise the generator takes."""
        self._latent = setting.latent

    def generator_loss(self, loss: Tensor, turn: Turn) -> Tensor:
        """The loss and the inverse of the mean distance of samples over that of their noise, for a second draw."""
        source = turn.moment.draw("mode seeking")
        shape = (len(turn.noise), self._latent.dim)
        uniform = self._latent.distribution == "uniform"
        other = torch.rand(shape, generator=source) * 2 - 1 if uniform else torch.randn(shape, generator=source)
        other = other.to(turn.noise)
        second = turn.generator(other) if turn.labels is None else turn.generator(other, turn.labels)
        ratio = (turn.made - second).abs().mean() / (turn.noise - other).abs().mean()
        total: Tensor = loss + self.weight / (ratio + 1e-5)
        return total


TECHNIQUE = ModeSeeking
