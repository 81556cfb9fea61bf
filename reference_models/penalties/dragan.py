"""One-centred gradient penalty around the real samples, for any loss."""

from __future__ import annotations

import torch
from torch import Tensor

from reference_models.penalties._gradient import Judge, mean_squared_excess, uniform


def penalty(judge: Judge, real: Tensor, fake: Tensor, source: torch.Generator) -> Tensor:
    """Mean of (|gradient| - 1)^2 at real samples moved by up to half a standard deviation of the batch.

    Source: DRAGAN, arXiv:1705.07215, equation 4 without lambda, with the noise of the authors' code: a random part of
    half the standard deviation of all values of the batch, times uniform noise on (0, 1).
    """
    shift = 0.5 * real.std() * torch.rand(real.shape, generator=source).to(real)
    return mean_squared_excess(judge, real + uniform(real, source) * shift)
