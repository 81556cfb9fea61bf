"""A look at the first images of both sides, for what a score of them would not tell: copies, flat colours, BGR."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from gandiag.core.protocols import Source

LOOKED_AT = 256  # images a side
BATCH = 32
MOST_PIXELS = 2**24  # of all of them: large images are looked at in smaller numbers
COPIES = 0.05  # share of images that are exact copies of others, above which it is said
FLAT = 0.02  # share of images of one colour
HALF = 127  # what a sample of real brightness lies on both sides of
# Chi-square with 3 degrees of freedom, whose 99.9% point is 16: the colours do not fit as they are, but swapped.
SURELY_UNLIKE = 60.0
ALIKE = 0.2  # of the distance as they are


def look(fake: Source, real: Source | None, count: int) -> Iterator[str]:
    """What is odd in the first images, each as a warning; nothing for points."""
    if len(fake.info.shape) != 3:
        return
    images = _first(fake, count)
    yield from _oddities(images, fake.info.name)
    if real is None or real.info.shape != fake.info.shape:
        return
    others = _first(real, count)
    if _half_only(images) and not _half_only(others):
        side = "lower" if int(images.max()) <= HALF + 1 else "upper"
        message = f"the images of {fake.info.name} only use the {side} half of the range from black to white"
        yield f"{message}, and those of {real.info.name} all of it: their values may have been taken for another range"
    if looks_swapped(images, others):
        message = f"the colours of {fake.info.name} fit {real.info.name} far better with red and blue swapped"
        yield f"{message}: they may have been written as BGR, as OpenCV does"


def looks_swapped(images: Tensor, others: Tensor) -> bool:
    """Whether the colours of images fit those of others far better with the first and the last channel swapped.

    Compares what changes its sign when they are swapped: the difference of the means of red and blue, of their
    variances, and of their covariances with green, each within an image, over the images uint8 (n, 3, H, W).
    """
    if images.shape[1] != 3 or min(len(images), len(others)) < 16:
        return False
    one, other = _antisymmetric(images), _antisymmetric(others)
    spread = torch.cov(one.T) / len(one) + torch.cov(other.T) / len(other)
    spread = spread + 1e-9 * torch.eye(3, dtype=spread.dtype) * spread.trace().clamp_min(1e-12)
    as_is = _chi_square(one.mean(dim=0) - other.mean(dim=0), spread)
    swapped = _chi_square(one.mean(dim=0) + other.mean(dim=0), spread)
    return as_is > SURELY_UNLIKE and swapped < ALIKE * as_is


def _first(source: Source, count: int) -> Tensor:
    few = max(1, MOST_PIXELS // max(1, source.info.shape[1] * source.info.shape[2]))
    last = min(count, LOOKED_AT, few, source.info.size or count)
    # In small batches, which fit beside whatever a generator keeps on a GPU.
    return torch.cat([source.read(start, min(start + BATCH, last)).cpu() for start in range(0, last, BATCH)])


def _oddities(images: Tensor, name: str) -> Iterator[str]:
    count = len(images)
    copies = count - len({image.numpy().tobytes() for image in images})
    if copies > COPIES * count:
        yield f"{copies} of the first {count} images of {name} are exact copies of others among them"
    flat = int((images.flatten(1).amax(dim=1) == images.flatten(1).amin(dim=1)).sum())
    if flat > FLAT * count:
        yield f"{flat} of the first {count} images of {name} are of one flat colour"
    if int(images.max()) <= 1 < count:
        yield f"the images of {name} are all but black, with values of 0 and 1: scale them to 0 to 255"


def _half_only(images: Tensor) -> bool:
    return int(images.min()) >= HALF or 1 < int(images.max()) <= HALF + 1


def _antisymmetric(images: Tensor) -> Tensor:
    """(n, 3), each of which changes its sign when red and blue are swapped."""
    pixels = images.flatten(2).double() / 255
    centred = pixels - pixels.mean(dim=2, keepdim=True)
    mean, variance = pixels.mean(dim=2), centred.square().mean(dim=2)
    red, green, blue = centred.unbind(dim=1)
    covariance = (red * green).mean(dim=1) - (blue * green).mean(dim=1)
    return torch.stack([mean[:, 0] - mean[:, 2], variance[:, 0] - variance[:, 2], covariance], dim=1)


def _chi_square(difference: Tensor, spread: Tensor) -> float:
    return float(difference @ torch.linalg.lstsq(spread, difference[:, None]).solution[:, 0])
