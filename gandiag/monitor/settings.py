"""What the user asked of a monitor, in one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

Loss = Literal["auto", "bce", "lsgan", "hinge", "wgan", "wgan-gp", "relativistic"]


@dataclass(frozen=True)
class Settings:
    """Options of `watch`; see there.

    Attributes:
        raises: whether every warning stops the training.
        stop_on: kinds of alerts that stop it.
        held_out: arguments of each discriminator for held-out real samples, by its key.
    """

    loss: Loss = "auto"
    raises: bool = False
    stop_on: frozenset[str] = frozenset()
    held_out: Mapping[str, tuple[Any, ...]] | None = None
    score: Callable[[Any], Tensor] | None = None
    scaler: Any | None = None
    locate_nonfinite: bool = False
    max_overhead: float | None = 0.01

    @property
    def stops(self) -> bool:
        """Whether an alert may stop the training."""
        return self.raises or bool(self.stop_on)
