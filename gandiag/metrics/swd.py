"""Sliced Wasserstein distance of image patches, octave by octave.

128 patches of 7 x 7 pixels from each level of the Laplacian pyramid of each image, down to 16 pixels, each channel of
each set with mean 0 and deviation 1; the mean distance of their projections on 4 x 128 random directions, times 1000,
mean over the levels (Karras et al., 2018, arXiv 1710.10196, after Rabin et al., 2011). It needs no network: it sees
texture and edges, neither objects nor, by its normalisation, the overall contrast.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.errors import InputError
from gandiag.core.score import NORMAL_95, Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics.content_order import content_order
from gandiag.statistics.feature_bank import FeatureBank, images_of
from gandiag.statistics.intervals import student_factor
from gandiag.statistics.pyramid import SMALLEST, laplacian_pyramid, level_count
from gandiag.statistics.sliced import sliced_distances
from gandiag.statistics.split_halves import paired_halves, same_rows

PATCHES = 128
SIDE = 7
REPEATS = 4
DIRECTIONS = 128
SCALE = 1000.0
SPLITS = 8
DIRECTIONS_OF_HALVES = 32  # the halves' spread needs fewer directions than the value
SMALLEST_TO_HALVE = 8
CONSTANT = 0.02  # grey levels of deviation below which a channel has none but rounding
BATCH = 256  # images whose pyramids are in memory at once


def swd(
    *,
    real: FeatureBank | Tensor,
    fake: FeatureBank | Tensor,
    rng: np.random.Generator | None = None,
    patches: int = PATCHES,
    splits: int = SPLITS,
) -> dict[str, Score]:
    """Sliced Wasserstein distance of patches, lower is better; equal distributions have a floor above 0.

    Args:
        real: images (n_real, C, H, W), uint8.
        fake: images (n_fake, C, H, W).
        rng: draws the patches, the directions and the halves; a fixed one where none is given.
        patches: of each image at each level.
        splits: random splits of the images into halves whose spread gives the standard error; below 2 for none.

    Returns:
        `swd`, for the expectation at these sample counts: it falls with the number of images, for equal distributions
        to about 0 as 1 / sqrt(N). `levels` in the details has each level by its size in pixels.

    Raises:
        InputError: a side holds no images, or they differ in shape.
    """
    real_images, fake_images = _images(real), _images(fake)
    n_real, n_fake = len(real_images), len(fake_images)
    params = {"patches": patches}
    reason = _undefined_reason(real_images, fake_images, patches)
    if reason is not None:
        return {"swd": undefined(reason, better="lower", n_real=n_real, n_fake=n_fake, params=params)}
    if real_images.shape[1:] != fake_images.shape[1:]:
        raise InputError(
            f"real images have the shape {tuple(real_images.shape[1:])} and fake ones {tuple(fake_images.shape[1:])}"
        )
    rng = rng or seeds.generator(0, "swd")
    key, patch_seed = rng.bytes(16), int(rng.integers(2**62))
    ordered_real, ordered_fake = (images[content_order(images, key)] for images in (real_images, fake_images))
    halves = []
    if splits > 1 and min(n_real, n_fake) >= SMALLEST_TO_HALVE:
        alike = same_rows(ordered_real, ordered_fake)
        halves = list(paired_halves(n_real, n_fake, splits, rng, alike=alike))
    sizes, wholes, of_halves = [], [], np.zeros(len(halves))
    bands = zip(
        _patches_by_level(ordered_real, patches, patch_seed),
        _patches_by_level(ordered_fake, patches, patch_seed),
        strict=True,
    )
    for (size, on_real), (_, on_fake) in bands:
        sizes.append(size)
        directions = _directions(REPEATS * DIRECTIONS, on_real[0, 0].numel(), rng).to(on_real.device)
        wholes.append(_distance(on_real, on_fake, directions))
        fewer = directions[:DIRECTIONS_OF_HALVES]
        of_halves += [_distance(on_real[in_real], on_fake[in_fake], fewer) for in_real, in_fake in halves]
    value = float(np.mean(wholes))
    error = interval = None
    if halves:
        # Half of the difference of two complementary halves varies as the whole does.
        pairs = of_halves.reshape(splits, 2) / len(sizes)
        error = float(np.mean(((pairs[:, 0] - pairs[:, 1]) / 2) ** 2)) ** 0.5
        reach = NORMAL_95 * student_factor(splits) * error
        interval = (value - reach, value + reach)
    few = "no splits were asked for" if splits < 2 else f"{SMALLEST_TO_HALVE} images or more a side are needed"
    return {
        "swd": measured(
            value,
            stderr=error,
            interval=interval,
            error_method=f"none: {few}" if error is None else "split halves",
            better="lower",
            n_real=n_real,
            n_fake=n_fake,
            limits=(0.0, float("inf")),
            params=params,
            details={"levels": dict(zip(map(str, sizes), wholes, strict=True))},
        )
    }


def _images(side: FeatureBank | Tensor) -> Tensor:
    return images_of(side) if isinstance(side, FeatureBank) else side


def _undefined_reason(real: Tensor, fake: Tensor, patches: int) -> str | None:
    for images in (real, fake):
        if len(images) < 1:
            return "there are no images"
        if images.ndim != 4:
            return "points have no patches; images (n, C, H, W) are needed"
        if level_count(*images.shape[2:]) < 1:
            return f"images of {images.shape[2]} x {images.shape[3]} pixels are below {SMALLEST} x {SMALLEST}"
    return None if patches > 0 else "there are no patches"


def _patches_by_level(images: Tensor, patches: int, seed: int) -> Iterator[tuple[int, Tensor]]:
    """For each level its size in pixels and its patches, float32 (n, patches, C, 7, 7).

    The positions depend on the seed and the image's place in the order alone: not on the side, so that copies get the
    same patches.
    """
    levels = level_count(*images.shape[2:])
    for level in range(levels):
        parts = []
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            band = laplacian_pyramid(part.float(), levels)[level]
            places = seeds.uniform(seed, f"swd/{level}", start, start + len(part), 2 * patches)
            parts.append(_cut(band, torch.from_numpy(places).to(band.device)))
        yield min(band.shape[2:]), torch.cat(parts)


def _cut(band: Tensor, places: Tensor) -> Tensor:
    """Patches of a band (n, C, H, W) whose corners are at `places`, uniform (n, 2 patches)."""
    rows, columns = places.chunk(2, dim=1)
    windows = band.unfold(2, SIDE, 1).unfold(3, SIDE, 1)
    rows = (rows * windows.shape[2]).long()
    columns = (columns * windows.shape[3]).long()
    image = torch.arange(len(band), device=band.device)[:, None]
    return windows[image, :, rows, columns]


def _directions(count: int, width: int, rng: np.random.Generator) -> Tensor:
    drawn = torch.from_numpy(rng.standard_normal((count, width))).float()
    return torch.nn.functional.normalize(drawn, dim=1)


def _distance(real: Tensor, fake: Tensor, directions: Tensor) -> float:
    rows_real, rows_fake = _normalised(real), _normalised(fake)
    return SCALE * sliced_distances(real=rows_real, fake=rows_fake, directions=directions, power=1)[0]


def _normalised(patches: Tensor) -> Tensor:
    """Patches (n, p, C, 7, 7) as rows, each channel of the set with mean 0 and deviation 1; a constant one is 0."""
    rows = patches.flatten(0, 1).flatten(2)
    mean = rows.mean(dim=2).mean(dim=0, dtype=torch.float64)
    square = rows.square().mean(dim=2).mean(dim=0, dtype=torch.float64)
    deviation = (square - mean.square()).clamp_min(0).sqrt()
    scale = torch.where(deviation > CONSTANT, 1 / deviation.clamp_min(CONSTANT), 0)
    return ((rows - mean.to(rows)[:, None]) * scale.to(rows)[:, None]).flatten(1)


METRIC = Metric(
    compute=swd,
    scores={"swd": "lower"},
    heads=frozenset({"images"}),
    minimum_samples=1,
    maximum_samples=1024,
    images_only=True,
    version=2,
)
