"""Logistic loss whose generator maximises the chance that fakes pass as real."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from reference_models.losses._loss import Loss


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of -log D(real) - log(1 - D(fake)), D being the sigmoid of the logit; 2 log 2 for one that cannot tell."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of -log D(fake): strong gradients even where fakes are found out. Source: arXiv:1406.2661, section 3."""
    return softplus(-fake_logits).mean()


LOSS = Loss(discriminator_loss, generator_loss, has_target=True)
