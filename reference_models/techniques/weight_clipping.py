"""The critic's weights are clipped after each update, which bounds its slope."""

from __future__ import annotations

import torch
from torch import nn

from reference_models.techniques._technique import Technique, positive


class WeightClipping(Technique):
    """Source: WGAN, arXiv:1701.07875, algorithm 1.

    Args:
        limit: the largest absolute weight.
    """

    def __init__(self, limit: float = 0.01) -> None:
        self.limit = positive("weight_clipping", "limit", limit)

    @torch.no_grad()
    def after_discriminator(self, discriminator: nn.Module) -> None:
        """Clip every weight."""
        for weight in discriminator.parameters():
            weight.clamp_(-self.limit, self.limit)


TECHNIQUE = WeightClipping
