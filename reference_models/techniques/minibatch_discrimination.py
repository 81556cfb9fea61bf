"""The discriminator sees how close each sample is to the others of its batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reference_models.techniques._technique import Technique, featured, whole


class Closeness(nn.Module):
    """Features (n, d) to (n, d + kernels): for each kernel the mean over the other samples of exp(-L1 distance)."""

    def __init__(self, feature_count: int, kernels: int, dims: int) -> None:
        super().__init__()
        self.projection = nn.Parameter(0.05 * torch.randn(feature_count, kernels, dims))

    def forward(self, features: Tensor) -> Tensor:
        """Features with the closeness joined."""
        projected = torch.einsum("nd,dkj->nkj", features, self.projection)
        distances = (projected[:, None] - projected[None]).abs().sum(3)
        # Each sample is at distance 0 of itself. The paper has the sum, of tens, which drowns the features it joins.
        closeness = (torch.exp(-distances).sum(1) - 1) / max(1, len(features) - 1)
        return torch.cat([features, closeness], dim=1)


class MinibatchDiscrimination(Technique):
    """Source: improved techniques, arXiv:1606.03498, section 3.2.

    Batch norm in the discriminator gives a batch of fakes the spread of a real one, and hides what is to be seen.

    Args:
        kernels: numbers that join the features.
        dims: numbers in which each kernel compares.
    """

    def __init__(self, kernels: int = 16, dims: int = 5) -> None:
        self.kernels = whole("minibatch_discrimination", "kernels", kernels)
        self.dims = whole("minibatch_discrimination", "dims", dims)

    def alter_discriminator(self, network: nn.Module) -> None:
        """Give the head the closeness too."""
        judge = featured("minibatch_discrimination", network)
        judge.widen_head(self.kernels, lambda count: Closeness(count, self.kernels, self.dims))


TECHNIQUE = MinibatchDiscrimination
