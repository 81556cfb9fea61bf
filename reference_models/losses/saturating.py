"""The minimax loss, whose gradient vanishes where the discriminator is sure."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from reference_models.losses._loss import Loss
from reference_models.losses.non_saturating import discriminator_loss


def generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of log(1 - D(fake)): at most 0. Source: arXiv:1406.2661, equation 1."""
    return -softplus(fake_logits).mean()


LOSS = Loss(discriminator_loss, generator_loss, has_target=True)
