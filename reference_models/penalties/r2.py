"""Zero-centred gradient penalty on generated samples."""

from __future__ import annotations

import torch
from torch import Tensor

from reference_models.penalties._gradient import Judge, mean_squared_norm


def penalty(judge: Judge, real: Tensor, fake: Tensor, source: torch.Generator) -> Tensor:
    """Half the mean squared gradient norm at fakes. Source: R2 of arXiv:1801.04406, equation 10 without gamma."""
    return mean_squared_norm(judge, fake) / 2
