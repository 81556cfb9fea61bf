"""A mistake on purpose, for tests of monitors: the generator climbs its loss instead of descending it."""

from __future__ import annotations

from torch import Tensor

from reference_models.techniques._technique import Technique, Turn


class WrongSign(Technique):
    """The generator's loss changes its sign: it learns to be found out."""

    def generator_loss(self, loss: Tensor, turn: Turn) -> Tensor:
        """Minus the loss."""
        return -loss


TECHNIQUE = WrongSign
