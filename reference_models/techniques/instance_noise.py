"""Noise on everything that the discriminator sees, so that real and fake overlap; it fades as the run goes on."""

from __future__ import annotations

import torch
from torch import Tensor

from reference_models.techniques._technique import Moment, Technique, positive


class InstanceNoise(Technique):
    """Source: arXiv:1610.04490, section 3, and arXiv:1701.04862, section 3.

    Args:
        deviation: of the normal noise at the beginning, in the units of the samples.
        until: the part of the run after which there is none; it falls linearly.
    """

    steady_view = False
    paced = True

    def __init__(self, deviation: float = 0.1, until: float = 1.0) -> None:
        self.deviation = positive("instance_noise", "deviation", deviation)
        self.until = positive("instance_noise", "until", until, high=1.0)

    def view(self, samples: Tensor, side: str, moment: Moment) -> Tensor:
        """Samples with noise."""
        deviation = self.deviation * max(0.0, 1 - moment.part / self.until)
        if deviation == 0:
            return samples
        noise = torch.randn(samples.shape, generator=moment.draw(f"instance noise {side}"))
        return samples + deviation * noise.to(samples)


TECHNIQUE = InstanceNoise
