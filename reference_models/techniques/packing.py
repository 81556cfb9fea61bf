"""The discriminator judges several samples at once, all real or all fake, so that a lack of variety shows."""

from __future__ import annotations

from torch import Tensor

from gandiag import UsageError
from reference_models.techniques._technique import Moment, Setting, Technique, whole


class Packing(Technique):
    """Source: PacGAN, arXiv:1712.04086: samples are joined along the channels.

    The batch is divided into packs; the paper's code takes a batch as many times as large, for as many judgements.

    Args:
        samples: in a pack; it must divide the batch.
    """

    def __init__(self, samples: int = 2) -> None:
        self.samples = whole("packing", "samples", samples, least=2)

    def begin(self, setting: Setting) -> None:
        """Refuse a pack that does not divide the batch, and labels, of which a pack would have several."""
        if setting.num_classes is not None:
            raise UsageError("technique packing does not go with labels: leave one of them out")
        if setting.batch_size % self.samples:
            message = f"technique packing: samples is {self.samples}"
            raise UsageError(f"{message}, which does not divide the batch of {setting.batch_size}")

    def discriminator_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """As many times the channels, or coordinates."""
        return (self.samples * shape[0], *shape[1:])

    def discriminator_batch(self, count: int) -> int:
        """As many packs."""
        return count // self.samples

    def view(self, samples: Tensor, side: str, moment: Moment) -> Tensor:
        """Samples (n, C, ...) as packs (n / m, m C, ...) of neighbours in the batch."""
        return samples.reshape(len(samples) // self.samples, self.samples * samples.shape[1], *samples.shape[2:])


TECHNIQUE = Packing
