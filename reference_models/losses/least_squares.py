"""Squared distance of the logits to targets: fakes that pass but lie far from the real ones have a gradient too."""

from __future__ import annotations

from torch import Tensor

from reference_models.losses._loss import Loss


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of ((real - 1)^2 + fake^2) / 2; 1/4 for one that cannot tell.

    Source: LSGAN, arXiv:1611.04076, equation 9, the 0-1 coding.
    """
    return ((real_logits - 1).square().mean() + fake_logits.square().mean()) / 2


def generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of (fake - 1)^2 / 2."""
    return (fake_logits - 1).square().mean() / 2


LOSS = Loss(discriminator_loss, generator_loss, has_target=True)
