"""Exponential moving average of a network."""

from __future__ import annotations

import torch
from torch import nn


def decay_at(step: int, decay: float) -> float:
    """The decay of a step counted from 0: small at first, so that the beginning is soon forgotten, then `decay`."""
    return min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def update(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move `average` towards `network` by 1 - decay.

    Parameters and the statistics of batch norm are averaged alike, so that the statistics fit the averaged weights;
    buffers of whole numbers are copied. Source: arXiv:1806.04498.
    """
    means, values = [], []
    ours, theirs = average.state_dict(keep_vars=True), network.state_dict(keep_vars=True)
    for name, mean in ours.items():
        if mean.is_floating_point():
            means.append(mean)
            values.append(theirs[name])
        else:
            mean.copy_(theirs[name])
    torch._foreach_lerp_(means, values, 1 - decay)
