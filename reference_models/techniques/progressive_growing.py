"""Both networks begin at a small side and grow, each stage fading in; real images are shown as coarse as theirs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gandiag import UsageError
from reference_models.networks.pyramid import Growing, enlarged, pyramid, reduced, stage_of
from reference_models.techniques._technique import Moment, Setting, Technique, whole


class ProgressiveGrowing(Technique):
    """Source: arXiv:1710.10196, section 2 and appendix A.1.

    The growth is a function of the step alone, so that a resumed run needs nothing more.

    Args:
        stage: steps of each stage but the last, which lasts to the end.
        fade: steps in which a new stage fades in; at most `stage`.
    """

    steady_view = False

    def __init__(self, stage: int = 1500, fade: int = 750) -> None:
        self.stage = whole("progressive_growing", "stage", stage)
        self.fade = whole("progressive_growing", "fade", fade)
        if fade > stage:
            raise UsageError(f"technique progressive_growing: fade is {fade}, more than the {stage} steps of a stage")
        self.sides: list[int] = []
        self._growth = 0.0

    def begin(self, setting: Setting) -> None:
        """Learn the sides."""
        _, self.sides = pyramid("technique progressive_growing", setting.shape)

    def alter_generator(self, network: nn.Module) -> None:
        """Make it small."""
        self._grow(network)

    def alter_discriminator(self, network: nn.Module) -> None:
        """Make it small."""
        self._grow(network)

    def growth(self, step: int) -> float:
        """From 0 to the last stage, at a step counted from 0."""
        stage = min(step // self.stage, len(self.sides) - 1)
        return stage and stage - 1 + min(1.0, (step - stage * self.stage + 1) / self.fade)

    def before_step(self, generator: nn.Module, discriminator: nn.Module, moment: Moment) -> None:
        """Let both grow."""
        self._growth = self.growth(moment.step)
        for network in (generator, discriminator):
            self._grow(network)

    def view(self, samples: Tensor, side: str, moment: Moment) -> Tensor:
        """Real samples lose the detail that has not faded in yet."""
        stage, alpha = stage_of(self._growth)
        if side == "fake" or stage == 0 or alpha == 1:
            return samples  # the discriminator makes them coarse by itself
        coarse = enlarged(reduced(samples, self.sides[stage - 1]), self.sides[-1])
        return torch.lerp(coarse, samples, alpha)

    def _grow(self, network: nn.Module) -> None:
        growing = [module for module in network.modules() if isinstance(module, Growing)]
        if not growing:
            raise UsageError("technique progressive_growing needs two networks that grow: the network `progressive`")
        for module in growing:
            module.grow(self._growth)


TECHNIQUE = ProgressiveGrowing
