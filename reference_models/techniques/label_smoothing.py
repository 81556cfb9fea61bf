"""One-sided label smoothing: the discriminator is to be no surer of real samples than a target below 1."""

from __future__ import annotations

from torch import Tensor

from gandiag import UsageError
from reference_models.techniques._technique import Setting, Technique, Turn, positive


class LabelSmoothing(Technique):
    """Source: improved techniques, arXiv:1606.03498, section 3.4.

    Args:
        target: of real samples, in place of 1.
    """

    def __init__(self, target: float = 0.9) -> None:
        self.target = positive("label_smoothing", "target", target, high=1.0)

    def begin(self, setting: Setting) -> None:
        """Refuse a loss without a target."""
        if not setting.loss.has_target:
            message = "technique label_smoothing needs a loss with a target for real samples"
            raise UsageError(f"{message}: non_saturating, saturating or least_squares")

    def discriminator_loss(self, loss: Tensor, turn: Turn) -> Tensor:
        """With the target t, both cross entropy and half the squared error grow by (1 - t) times the real logit.

        -t log D - (1 - t) log(1 - D) is -log D + (1 - t) logit; (logit - t)^2 / 2 is (logit - 1)^2 / 2 + (1 - t) logit
        but for a constant.
        """
        return loss + (1 - self.target) * turn.real_logits.mean()


TECHNIQUE = LabelSmoothing
