"""The generator matches the mean features of the discriminator, beside or instead of fooling it."""

from __future__ import annotations

from torch import Tensor

from reference_models.techniques._technique import Technique, Turn, positive


class FeatureMatching(Technique):
    """Source: improved techniques, arXiv:1606.03498, section 3.1.

    Args:
        weight: of the squared distance between the mean features of real samples and fakes.
        adversarial_weight: of the loss beside it; 0 as in the paper.
    """

    needs_features = True

    def __init__(self, weight: float = 1.0, adversarial_weight: float = 1.0) -> None:
        self.weight = positive("feature_matching", "weight", weight)
        if adversarial_weight != 0:
            positive("feature_matching", "adversarial_weight", adversarial_weight)
        self.adversarial_weight = adversarial_weight

    def generator_loss(self, loss: Tensor, turn: Turn) -> Tensor:
        """The loss and the squared distance of the mean features."""
        distance = (turn.real_features.mean(0) - turn.fake_features.mean(0)).square().sum()
        return self.adversarial_weight * loss + self.weight * distance


TECHNIQUE = FeatureMatching
