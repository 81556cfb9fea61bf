"""Zero-centred gradient penalty on real samples."""

from __future__ import annotations

from torch import Tensor, nn

from reference_models.penalties._gradient import mean_squared_norm


def penalty(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Half the mean squared gradient norm at real samples. Source: R1 of arXiv:1801.04406, equation 9 without gamma."""
    return mean_squared_norm(discriminator, real) / 2
