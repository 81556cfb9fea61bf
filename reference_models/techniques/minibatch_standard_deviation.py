"""The discriminator sees how much the samples of its batch differ."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gandiag import UsageError
from reference_models.techniques._technique import Setting, Technique, featured, whole


class Spread(nn.Module):
    """Features (n, d) to (n, d + copies): the mean over the features of their standard deviation in the group."""

    def __init__(self, group: int, copies: int = 1) -> None:
        super().__init__()
        self.group = group
        self.copies = copies

    def forward(self, features: Tensor) -> Tensor:
        """Features with the spread joined; a batch that the group does not divide is one group."""
        count = len(features)
        group = self.group if count % self.group == 0 else count
        # As in the paper's code, samples i, i + n / group, ... are a group.
        grouped = features.view(group, count // group, -1)
        deviation = (grouped.var(0, correction=0) + 1e-8).sqrt().mean(1)
        return torch.cat([features, deviation.repeat(group).unsqueeze(1).expand(-1, self.copies)], dim=1)


class MinibatchStandardDeviation(Technique):
    """Source: progressive growing, arXiv:1710.10196, section 3; here on the features before the head.

    As in the paper, features that are a map get one more channel: the spread at each of its positions. One number
    beside hundreds would hardly count. Features that are no map get that number.

    Batch norm in the discriminator gives a batch of fakes the spread of a real one, and hides what is to be seen.

    Args:
        group: samples, or packs of them, that are compared with one another; it must divide the batch of such.
    """

    def __init__(self, group: int = 4) -> None:
        self.group = whole("minibatch_standard_deviation", "group", group, least=2)

    def begin(self, setting: Setting) -> None:
        """Refuse a group that does not divide what the discriminator sees of a batch."""
        if setting.judged % self.group:
            message = f"technique minibatch_standard_deviation: group is {self.group}"
            raise UsageError(f"{message}, which does not divide the {setting.judged} that the discriminator judges")

    def alter_discriminator(self, network: nn.Module) -> None:
        """Give the head the spread too."""
        judge = featured("minibatch_standard_deviation", network)
        judge.widen_head(judge.positions, lambda count: Spread(self.group, judge.positions))


TECHNIQUE = MinibatchStandardDeviation
