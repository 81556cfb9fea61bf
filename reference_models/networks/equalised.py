"""Layers with an equalised learning rate: weights begin as N(0, 1) and are scaled where they are used."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

RECTIFIED = sqrt(2)  # the gain before a rectifier, which halves the variance
LEAK = 0.2


class EqualisedLinear(nn.Module):
    """Vectors (n, inputs) to (n, outputs); its output has the variance of its input times the squared gain.

    Adam, whose steps do not depend on a weight's scale, so moves all layers equally fast. Source: arXiv:1710.10196,
    section 4.1.

    Args:
        inputs: numbers in a vector.
        outputs: numbers in a vector that it gives.
        gain: standard deviation of the output for inputs of variance 1.
        rate: factor of the learning rate of this layer, as the mapping network of StyleGAN has it.
        bias: that it begins with.
    """

    def __init__(
        self, inputs: int, outputs: int, gain: float = RECTIFIED, rate: float = 1.0, bias: float = 0.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale, self.rate = gain * rate / sqrt(inputs), rate

    def forward(self, values: Tensor) -> Tensor:
        """Vectors (n, outputs)."""
        return functional.linear(values, self.weight * self.scale, self.bias * self.rate)


class EqualisedConv2d(nn.Module):
    """Maps (n, inputs, H, W) to (n, outputs, H, W), as `EqualisedLinear` at each place.

    Args:
        inputs: channels.
        outputs: channels that it gives.
        kernel: its odd side.
        gain: standard deviation of the output for inputs of variance 1.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float = RECTIFIED) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale, self.padding = gain / sqrt(inputs * kernel * kernel), kernel // 2

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (n, outputs, H, W)."""
        return functional.conv2d(maps, self.weight * self.scale, self.bias, padding=self.padding)


class PixelNorm(nn.Module):
    """Each place's vector of channels, or each vector of a batch, to mean square 1. Source: arXiv:1710.10196, 4.2."""

    def forward(self, values: Tensor) -> Tensor:
        """Values (n, C, ...) of values (n, C, ...)."""
        return values * (values.square().mean(1, keepdim=True) + 1e-8).rsqrt()
