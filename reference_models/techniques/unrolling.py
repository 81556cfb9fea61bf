"""The generator plays against what the discriminator will be some updates ahead, and sees how it moves that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from reference_models.losses._loss import Loss
from reference_models.techniques._technique import Setting, Technique, positive, whole


class Unrolling(Technique):
    """Source: unrolled GAN, arXiv:1611.02163; the updates ahead are plain gradient descent, differentiated through.

    They descend the adversarial loss alone, without penalties and other techniques.

    Args:
        updates: of the discriminator that are looked ahead.
        learning_rate: of those updates.
    """

    def __init__(self, updates: int = 5, learning_rate: float = 0.1) -> None:
        self.updates = whole("unrolling", "updates", updates)
        self.learning_rate = positive("unrolling", "learning_rate", learning_rate)
        self._loss: Loss | None = None

    def begin(self, setting: Setting) -> None:
        """Note the adversarial loss."""
        self._loss = setting.loss

    def look_ahead(
        self, judge: Callable[..., Any], real: Tensor, fake: Tensor, labels: Tensor | None
    ) -> Callable[..., Any]:
        """The discriminator after the updates, a function of the fakes too."""
        network, loss = cast(nn.Module, judge), cast(Loss, self._loss)
        weights = {name: weight.detach().requires_grad_() for name, weight in network.named_parameters()}
        said = () if labels is None else (labels,)
        for _ in range(self.updates):
            value = loss.discriminator(
                functional_call(network, weights, (real, *said)), functional_call(network, weights, (fake, *said))
            )
            slopes = torch.autograd.grad(value, list(weights.values()), create_graph=True, allow_unused=True)
            weights = {
                name: weight if slope is None else weight - self.learning_rate * slope
                for (name, weight), slope in zip(weights.items(), slopes, strict=True)
            }

        def ahead(*arguments: Any, **options: Any) -> Any:
            return functional_call(network, weights, arguments, options)

        return ahead


TECHNIQUE = Unrolling
