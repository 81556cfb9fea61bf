"""Images and weights of which both sides get the same, and a source and an extractor that cost next to nothing."""

from __future__ import annotations

import functools
import tempfile
import weakref
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gandiag.core.protocols import Extracted, ExtractorInfo, SourceInfo


def images(count: int, seed: int, *, size: int = 64, contrast: float = 1.0) -> Tensor:
    """Random uint8 images (count, 3, size, size): coarse patches and noise, so that no two have the same features."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 8, 8, generator=generator)
    patches = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    noise = torch.rand(count, 3, size, size, generator=generator)
    return ((0.5 + contrast * (0.7 * patches + 0.3 * noise - 0.5)) * 255).clamp(0, 255).to(torch.uint8)


@functools.cache
def folder() -> Path:
    """A folder for this process, removed with it."""
    made = tempfile.TemporaryDirectory(prefix="gandiag-benchmark-")
    weakref.finalize(folder, made.cleanup)
    return Path(made.name)


@functools.cache
def inception_weights() -> Path:
    """A seeded random state dict that gandiag and torch-fidelity both load: the arithmetic is that of the real one."""
    import random_weights  # of tests/helpers

    return random_weights.inception_weights(folder() / "inception.pt")


class NoiseImages:
    """A source of `size` random images that are made when they are read; sample i depends on the seed and i alone."""

    def __init__(self, size: int, seed: int, side: int = 32) -> None:
        self.info = SourceInfo("noise images", "array", (3, side, side), "uint8", size)
        self._seed = seed

    def read(self, start: int, stop: int) -> Tensor:
        _, *shape = (0, *self.info.shape)
        bytes_each = int(np.prod(shape))
        bits = np.random.Philox(key=self._seed).advance(start * (bytes_each // 32))
        raw = np.random.Generator(bits).bytes((stop - start) * bytes_each)
        made = torch.frombuffer(bytearray(raw), dtype=torch.uint8).view(-1, *shape)
        # Each image has its own level, so that the projections are not all alike.
        return made // 2 + made[:, :1, :1, :1] // 2


class Projection:
    """An extractor that costs next to nothing: a fixed random projection of the pixels, rectified."""

    def __init__(self, pixels: int, width: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self._matrix = torch.randn(pixels, width, generator=generator).mul_(pixels**-0.5 / 255)
        self.info = ExtractorInfo("projection", None, "none", frozenset({"features"}))

    def __call__(self, samples: Tensor) -> Extracted:
        return Extracted(features=(samples.flatten(1).float() @ self._matrix).relu_())
