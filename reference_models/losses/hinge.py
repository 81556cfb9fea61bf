"""Hinge loss: the discriminator cares only for samples within its margin."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from reference_models.losses._loss import Loss


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of max(0, 1 - real) + max(0, 1 + fake); 2 for one that cannot tell.

    Source: geometric GAN, arXiv:1705.02894; the form of SNGAN, arXiv:1802.05957, equation 16.
    """
    return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()


def generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of -fake."""
    return -fake_logits.mean()


LOSS = Loss(discriminator_loss, generator_loss)
