"""How the weights of a network begin."""

from __future__ import annotations

from torch import nn


def normal(network: nn.Module, deviation: float = 0.02) -> None:
    """Draw convolutions and linear maps from N(0, deviation) and the scales of norms from N(1, deviation).

    Source: DCGAN, arXiv:1511.06434, section 4; the norms' scales are those of its authors' code.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, deviation)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.InstanceNorm2d):
            nn.init.normal_(module.weight, 1.0, deviation)
