"""The gradient of a discriminator with respect to its input."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Judge = Callable[[Tensor], Tensor]  # samples (n, ...) to logits (n,), or (n p,) of p patches of each


def gradients(judge: Judge, samples: Tensor) -> Tensor:
    """The gradient of each sample's logit, (n, d) for samples (n, ...) of d numbers; differentiable.

    Of the mean logit, where there is one for each patch of a sample. It is that sample's own only where a discriminator
    looks at each by itself: batch norm and the minibatch techniques mix them, and give something near it.
    """
    samples = samples.detach().requires_grad_()
    logits = judge(samples)
    (gradient,) = torch.autograd.grad(logits.sum() * (len(samples) / logits.numel()), samples, create_graph=True)
    return gradient.flatten(1)


def mean_squared_norm(judge: Judge, samples: Tensor) -> Tensor:
    """Mean over samples (n, ...) of the squared 2-norm of the logit's gradient; differentiable."""
    return gradients(judge, samples).square().sum() / len(samples)


def mean_squared_excess(judge: Judge, samples: Tensor) -> Tensor:
    """Mean over samples (n, ...) of (|gradient| - 1)^2; differentiable, also where the gradient is 0."""
    norms = (gradients(judge, samples).square().sum(1) + 1e-12).sqrt()
    return (norms - 1).square().mean()


def uniform(samples: Tensor, source: torch.Generator) -> Tensor:
    """A number on [0, 1) for each sample, shaped (n, 1, ...) so that it multiplies them."""
    drawn = torch.rand(len(samples), *[1] * (samples.ndim - 1), generator=source)
    return drawn.to(samples)
