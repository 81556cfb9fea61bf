"""What discriminators have in common."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from reference_models.networks.equalised import EqualisedLinear


class Discriminator(nn.Module):
    """Samples (n, ...), and labels (n,) where it has a condition, to logits (n,); positive means real.

    Args:
        body: samples to features (n, feature_count).
        feature_count: numbers that the head looks at.
        condition: joins samples and labels; None for a discriminator without labels.
        positions: pixels of the map that the features are, flattened; 1 where they are no map.

    Techniques may put modules before the last layer of its `head`; see `widen_head`.
    """

    def __init__(
        self, body: nn.Module, feature_count: int, condition: nn.Module | None = None, positions: int = 1
    ) -> None:
        super().__init__()
        self.condition = condition
        self.body = body
        self.feature_count = feature_count
        self.positions = positions
        self.head: nn.Module = self.linear(feature_count, 1)
        self._head_width = feature_count

    def linear(self, inputs: int, outputs: int) -> nn.Module:
        """The kind of layer that its head is of."""
        return nn.Linear(inputs, outputs)

    def widen_head(self, added: int, make: Callable[[int], nn.Module]) -> None:
        """Put a module before the last layer of the head, after those that stand there, and draw that layer anew.

        Args:
            added: numbers that the module joins to those that it gets.
            make: the module, of how many numbers it gets.
        """
        before = self.head[:-1] if isinstance(self.head, nn.Sequential) else ()
        last = self.linear(self._head_width + added, 1)
        self.head = nn.Sequential(*before, make(self._head_width), last)
        self._head_width += added

    def forward(
        self, samples: Tensor, labels: Tensor | None = None, with_features: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Logits (n,); with `with_features` also the features (n, feature_count) that they come from."""
        if self.condition is not None:
            samples = self.condition(samples, labels)
        features: Tensor = self.body(samples)
        logits: Tensor = self.head(features).squeeze(1)
        return (logits, features) if with_features else logits


class EqualisedDiscriminator(Discriminator):
    """A discriminator whose layers have an equalised learning rate, its head too."""

    def linear(self, inputs: int, outputs: int) -> nn.Module:
        """The kind of layer that its head is of."""
        return EqualisedLinear(inputs, outputs, gain=1.0)
