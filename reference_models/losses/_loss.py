"""What an adversarial loss is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """Two functions of logits (n,) of a real and of a generated batch, each giving a scalar to minimise.

    Attributes:
        discriminator: its loss, of `(real_logits, fake_logits)`.
        generator: its loss, of `(real_logits, fake_logits)`.
        generator_compares: whether the generator's loss looks at the real logits; else it may be given any.
        has_target: whether the discriminator's loss drives real samples to the target 1, which may be smoothed.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    generator_compares: bool = False
    has_target: bool = False
