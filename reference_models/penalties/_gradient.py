"""The gradient of a discriminator with respect to its input."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def mean_squared_norm(discriminator: nn.Module, samples: Tensor) -> Tensor:
    """Mean over samples (n, ...) of the squared 2-norm of the logit's gradient; differentiable."""
    samples = samples.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(samples).sum(), samples, create_graph=True)
    return gradient.square().sum() / len(samples)
