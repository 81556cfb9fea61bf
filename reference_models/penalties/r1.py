"""Zero-centred gradient penalty on real samples."""

from __future__ import annotations

import torch
from torch import Tensor

from reference_models.penalties._gradient import Judge, mean_squared_norm


def penalty(judge: Judge, real: Tensor, fake: Tensor, source: torch.Generator) -> Tensor:
    """Half the mean squared gradient norm at real samples. Source: R1 of arXiv:1801.04406, equation 9 without gamma."""
    return mean_squared_norm(judge, real) / 2
