"""Logistic loss of real-fake pairs: each player looks at the difference of two logits only."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from reference_models.losses._loss import Loss


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of -log sigmoid(real - fake), pair by pair; log 2 for a discriminator that cannot tell.

    Source: relativistic pairing GAN, arXiv:1807.00734, in the form of R3GAN, arXiv:2501.05441, equation 2.
    """
    return softplus(fake_logits - real_logits).mean()


def generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of -log sigmoid(fake - real), pair by pair."""
    return softplus(real_logits - fake_logits).mean()


LOSS = Loss(discriminator_loss, generator_loss, generator_compares=True)
