"""Wasserstein loss: the difference of the mean logits; needs a critic that is kept smooth."""

from __future__ import annotations

from torch import Tensor

from reference_models.losses._loss import Loss


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of the fakes' logits less that of the real ones: minus an estimate of the distance, up to a factor.

    Source: WGAN, arXiv:1701.07875, algorithm 1.
    """
    return fake_logits.mean() - real_logits.mean()


def generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of -fake."""
    return -fake_logits.mean()


LOSS = Loss(discriminator_loss, generator_loss)
