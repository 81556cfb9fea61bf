"""The Dirac-GAN: two numbers that play the whole game, and show in milliseconds how it fails to settle.

The data are one point at 0, the generator is one point at theta, the discriminator is the line psi x. Source: Which
training methods for GANs do actually converge?, arXiv:1801.04406, sections 2 and 3: the equilibrium is (0, 0);
simultaneous gradient descent spirals away from it, alternating descent circles around it, instance noise and a
zero-centred gradient penalty lead to it, weight clipping and a one-centred penalty do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from gandiag import UsageError


@dataclass(frozen=True)
class Dirac:
    """One way to train it, by gradient descent on the minimax loss.

    Attributes:
        learning_rate: of both players.
        simultaneous: both gradients are taken at the same place; else the generator answers the discriminator's step.
        discriminator_steps: to each step of the generator.
        penalty: gamma of R1, half of which times psi^2 joins the discriminator's loss.
        theta, psi: where it begins.
    """

    learning_rate: float = 0.1
    simultaneous: bool = False
    discriminator_steps: int = 1
    penalty: float = 0.0
    theta: float = 1.0
    psi: float = 1.0

    def __post_init__(self) -> None:
        if not self.learning_rate > 0 or self.penalty < 0 or self.discriminator_steps < 1:
            raise UsageError("the Dirac-GAN needs a learning rate above 0, a penalty of 0 or more, and a step or more")

    def path(self, steps: int) -> Iterator[tuple[float, float]]:
        """(theta, psi) after each of so many steps."""
        theta, psi = self.theta, self.psi
        for _ in range(steps):
            before = psi
            for _ in range(self.discriminator_steps):
                # The discriminator's loss is softplus(psi theta) and half the penalty: the real point has the logit 0.
                psi -= self.learning_rate * (theta * _sigmoid(psi * theta) + self.penalty * psi)
            seen = before if self.simultaneous else psi
            # The generator's loss is -softplus(psi theta).
            theta += self.learning_rate * seen * _sigmoid(seen * theta)
            yield theta, psi


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
