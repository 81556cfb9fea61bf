"""One-centred gradient penalty between real and generated samples, for Wasserstein critics."""

from __future__ import annotations

import torch
from torch import Tensor

from reference_models.penalties._gradient import Judge, mean_squared_excess, uniform


def penalty(judge: Judge, real: Tensor, fake: Tensor, source: torch.Generator) -> Tensor:
    """Mean of (|gradient| - 1)^2 at random places between a real sample and a fake.

    Source: WGAN-GP, arXiv:1704.00028, equation 3 without lambda.
    """
    return mean_squared_excess(judge, torch.lerp(fake, real, uniform(real, source)))
