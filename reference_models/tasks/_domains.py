"""Domains that images of a dataset are translated to: known maps, so that a translation can be judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag import UsageError
from reference_models.tables import shortened

PAPER = (-0.8, -0.6, 0.2)  # dark blue, where an image is black
INK = (1.0, 0.5, -0.7)  # orange, where it is white


@dataclass(frozen=True)
class Domain:
    """A map of images in [-1, 1] that can be undone.

    Attributes:
        channels: that images of both domains have at least.
        there: from images (n, channels, H, W) to the other domain.
        back: from the other domain to grey images (n, 1, H, W), of images that are near to it too.
    """

    channels: int
    there: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]

    def plain(self, images: Tensor) -> Tensor:
        """Images with as many channels as the domain has; grey ones are repeated."""
        return images.expand(-1, self.channels, -1, -1) if images.shape[1] < self.channels else images


def find_domain(name: str) -> Domain:
    """A domain by its name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in DOMAINS:
        raise UsageError(f"task unpaired: domain is {shortened(name)}, expected one of {', '.join(DOMAINS)}")
    return DOMAINS[name]


def _inverted(images: Tensor) -> Tensor:
    return -images


def _coloured(images: Tensor) -> Tensor:
    paper, ink = _colours(images)
    return torch.lerp(paper, ink, (images.mean(1, keepdim=True) + 1) / 2)


def _grey(images: Tensor) -> Tensor:
    paper, ink = _colours(images)
    place = ((images - paper) * (ink - paper)).sum(1, keepdim=True) / (ink - paper).square().sum(1, keepdim=True)
    return (2 * place - 1).clamp(-1, 1)


def _colours(images: Tensor) -> tuple[Tensor, Tensor]:
    paper, ink = (images.new_tensor(colour)[None, :, None, None] for colour in (PAPER, INK))
    return paper, ink


DOMAINS = {"inverted": Domain(1, _inverted, _inverted), "coloured": Domain(3, _coloured, _grey)}
