"""The discriminator also names the class of each sample, and the generator is paid where the name is right."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gandiag import UsageError
from reference_models.techniques._technique import Setting, Technique, Turn, featured, positive


class AuxiliaryClassifier(Technique):
    """Source: AC-GAN, arXiv:1610.09585, equation 3.

    Args:
        weight: of the cross entropy of the classes: of both batches for the discriminator, of fakes for the generator.
    """

    needs_features = True

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = positive("auxiliary_classifier", "weight", weight)
        self._classes = 0

    def begin(self, setting: Setting) -> None:
        """Refuse a recipe without labels."""
        if setting.num_classes is None:
            raise UsageError("technique auxiliary_classifier needs labels: set generator.conditional = true")
        self._classes = setting.num_classes

    def alter_discriminator(self, network: nn.Module) -> None:
        """Give it a second head."""
        judge = featured("auxiliary_classifier", network)
        judge.classifier = nn.Linear(judge.feature_count, self._classes)

    def discriminator_loss(self, loss: Tensor, turn: Turn) -> Tensor:
        """The loss and the cross entropy of the classes of real samples and of fakes."""
        return loss + self.weight * (self._error(turn, turn.real_features) + self._error(turn, turn.fake_features))

    def generator_loss(self, loss: Tensor, turn: Turn) -> Tensor:
        """The loss and the cross entropy of the classes of fakes."""
        return loss + self.weight * self._error(turn, turn.fake_features)

    def _error(self, turn: Turn, features: Tensor) -> Tensor:
        classifier = cast(nn.Module, turn.discriminator.classifier)
        return cross_entropy(classifier(features), cast(Tensor, turn.labels))  # `begin` saw to the labels


TECHNIQUE = AuxiliaryClassifier
