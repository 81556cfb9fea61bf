"""Each weight matrix of the discriminator is divided by its largest singular value."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from reference_models.networks.equalised import EqualisedConv2d, EqualisedLinear
from reference_models.techniques._technique import Technique, whole

EQUALISED = (EqualisedLinear, EqualisedConv2d)
LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding, *EQUALISED)


class SpectralNormalisation(Technique):
    """Source: SNGAN, arXiv:1802.05957.

    Args:
        iterations: of the power method at each use of a layer.
    """

    last = True

    def __init__(self, iterations: int = 1) -> None:
        self.iterations = whole("spectral_normalisation", "iterations", iterations)

    def alter_discriminator(self, network: nn.Module) -> None:
        """Normalise every linear map, convolution and embedding."""
        for module in list(network.modules()):
            if isinstance(module, EQUALISED):
                module.scale = 1.0  # of the weights as they are used, and those have norm 1 now
            if isinstance(module, LAYERS):
                spectral_norm(module, n_power_iterations=self.iterations)


TECHNIQUE = SpectralNormalisation
