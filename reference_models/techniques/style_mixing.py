"""Samples in training get the styles of two latents, so that neighbouring layers do not rely on each other."""

from __future__ import annotations

from torch import nn

from gandiag import UsageError
from reference_models.techniques._technique import Technique, positive


class StyleMixing(Technique):
    """Source: StyleGAN, arXiv:1812.04948, section 3.1. The second latent is that of the neighbour in the batch.

    Args:
        chance: of a sample to be mixed; the layer where the styles change is drawn evenly.
    """

    def __init__(self, chance: float = 0.9) -> None:
        self.chance = positive("style_mixing", "chance", chance, high=1.0)

    def alter_generator(self, network: nn.Module) -> None:
        """Let it mix."""
        layers = getattr(network, "layers", None)
        if not hasattr(network, "mixing") or not isinstance(layers, nn.ModuleList):
            raise UsageError("technique style_mixing needs a generator with styles: the network `stylegan`")
        if len(layers) < 2:
            raise UsageError("technique style_mixing needs two layers or more, and images of this size are made by one")
        setattr(network, "mixing", self.chance)  # noqa: B010 - for the type checker a module has only modules


TECHNIQUE = StyleMixing
