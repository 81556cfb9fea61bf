"""Image-to-image models whose output is known by hand, for tests that feed them images."""

from __future__ import annotations

import torch
from torch import nn


class Double(nn.Module):
    """Each pixel becomes four of its value; takes and gives any range."""

    def __init__(self, channels=3, shift=0.0):
        super().__init__()
        self.up = nn.ConvTranspose2d(channels, channels, 2, 2, groups=channels)
        nn.init.ones_(self.up.weight)
        nn.init.constant_(self.up.bias, shift)

    def forward(self, images):
        return self.up(images)


class Half(nn.Module):
    """The mean of each four pixels."""

    def __init__(self, channels=3, shift=0.0):
        super().__init__()
        self.down = nn.Conv2d(channels, channels, 2, 2, groups=channels)
        nn.init.constant_(self.down.weight, 0.25)
        nn.init.constant_(self.down.bias, shift)

    def forward(self, images):
        return self.down(images)


def exported(module, shape):
    """A torch.export program for any number of images."""
    count = torch.export.Dim("n", min=1, max=64)
    return torch.export.export(module.eval(), (torch.rand(2, *shape),), dynamic_shapes=({0: count},))
