"""What discriminators have in common."""

from __future__ import annotations

from torch import Tensor, nn

from reference_models.networks.equalised import EqualisedLinear


class Discriminator(nn.Module):
    """Samples (n, ...), and labels (n,) where it has a condition, to logits (n,); positive means real.

    Args:
        body: samples to features (n, feature_count).
        feature_count: numbers that the head looks at.
        condition: joins samples and labels; None for a discriminator without labels.

    Techniques may replace `head`, any module from features (n, feature_count) to (n, 1).
    """

    def __init__(self, body: nn.Module, feature_count: int, condition: nn.Module | None = None) -> None:
        super().__init__()
        self.condition = condition
        self.body = body
        self.feature_count = feature_count
        self.head: nn.Module = self.linear(feature_count, 1)

    def linear(self, inputs: int, outputs: int) -> nn.Module:
        """The kind of layer that its head is of, for techniques that replace it."""
        return nn.Linear(inputs, outputs)

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
