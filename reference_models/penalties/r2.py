"""Zero-centred gradient penalty on generated samples."""

from __future__ import annotations

from torch import Tensor, nn

from reference_models.penalties._gradient import mean_squared_norm


def penalty(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Half the mean squared gradient norm at fakes. Source: R2 of arXiv:1801.04406, equation 10 without gamma."""
    return mean_squared_norm(discriminator, fake) / 2
