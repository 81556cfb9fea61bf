"""Both players are held near the mean of what they have been."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from reference_models.techniques._technique import Technique, Turn, positive


class HistoricalAveraging(Technique):
    """Source: improved techniques, arXiv:1606.03498, section 3.3.

    Args:
        weight: of the squared distance between a player's weights and the mean of its weights after each update so far.
    """

    def __init__(self, weight: float = 1e-3) -> None:
        self.weight = positive("historical_averaging", "weight", weight)
        self._means: dict[str, list[Tensor]] = {}
        self._counts = {"generator": 0, "discriminator": 0}

    def discriminator_loss(self, loss: Tensor, turn: Turn) -> Tensor:
        """The loss and the distance of the discriminator to its mean."""
        return loss + self.weight * self._distance("discriminator", turn.discriminator)

    def generator_loss(self, loss: Tensor, turn: Turn) -> Tensor:
        """The loss and the distance of the generator to its mean."""
        return loss + self.weight * self._distance("generator", turn.generator)

    def after_discriminator(self, discriminator: nn.Module) -> None:
        """Take the new weights into the mean."""
        self._absorb("discriminator", discriminator)

    def after_generator(self, generator: nn.Module) -> None:
        """Take the new weights into the mean."""
        self._absorb("generator", generator)

    def state(self) -> dict[str, Tensor]:
        """Means and how many weights are in them."""
        state = {f"{player}.count": torch.tensor(count) for player, count in self._counts.items()}
        for player, means in self._means.items():
            state |= {f"{player}.{index}": mean for index, mean in enumerate(means)}
        return state

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        for player in self._counts:
            self._counts[player] = int(state[f"{player}.count"])
            names = [name for name in state if name.startswith(f"{player}.") and not name.endswith(".count")]
            if names:
                self._means[player] = [state[f"{player}.{index}"].clone() for index in range(len(names))]

    def _distance(self, player: str, network: nn.Module) -> Tensor:
        weights = list(network.parameters())
        means = self._means.get(player) or [weight.detach() for weight in weights]
        means = [mean.to(weight) for mean, weight in zip(means, weights, strict=True)]
        return torch.stack([(w - m).square().sum() for w, m in zip(weights, means, strict=True)]).sum()

    @torch.no_grad()
    def _absorb(self, player: str, network: nn.Module) -> None:
        weights: list[Tensor] = list(network.parameters())
        self._counts[player] += 1
        if player not in self._means:
            self._means[player] = [weight.clone() for weight in weights]
            return
        means = self._means[player] = [m.to(w) for m, w in zip(self._means[player], weights, strict=True)]
        torch._foreach_lerp_(means, weights, 1 / self._counts[player])


TECHNIQUE = HistoricalAveraging
