"""Random numbers that depend on (seed, stream, sample index) alone.

Philox is a counter-based generator (Salmon et al., 2011) whose bit stream NumPy guarantees across releases. Samples are
drawn in fixed blocks, so that sample i is the same whatever part of the sequence, batch size or process asks for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

BLOCK = 256  # samples drawn by one generator; changing it changes every sample


def generator(seed: int, *stream: int | str) -> np.random.Generator:
    """An independent NumPy generator for a purpose, such as `generator(seed, "half-sampling")`."""
    return np.random.Generator(np.random.Philox(key=_key(seed, *stream)))


def integer(seed: int, *stream: int | str) -> int:
    """A 63-bit seed for another library's generator, independent for each purpose."""
    return int(_key(seed, *stream)[0] >> 1)


def uniform(seed: int, stream: str, start: int, stop: int, width: int) -> npt.NDArray[np.float64]:
    """Uniform numbers in the open interval (0, 1) for samples `start` to `stop`, shape (stop - start, width)."""

    def draw(block: int) -> npt.NDArray[np.float64]:
        bits = np.random.Philox(key=_key(seed, stream, block)).random_raw(BLOCK * width)
        return ((bits >> np.uint64(12)).astype(np.float64) + 0.5).reshape(BLOCK, width) * 2.0**-52

    return _blocks(draw, start, stop, width)


def normal(seed: int, stream: str, start: int, stop: int, width: int) -> npt.NDArray[np.float64]:
    """Standard normal numbers for samples `start` to `stop`, shape (stop - start, width)."""
    from scipy.special import ndtri

    return np.asarray(ndtri(uniform(seed, stream, start, stop, width)))


def integers(seed: int, stream: str, start: int, stop: int, width: int, high: int) -> npt.NDArray[np.int64]:
    """Whole numbers from 0 to `high` - 1 for samples `start` to `stop`, shape (stop - start, width)."""
    return np.asarray(uniform(seed, stream, start, stop, width) * high, dtype=np.int64)


def _blocks(
    draw: Callable[[int], npt.NDArray[np.float64]], start: int, stop: int, width: int
) -> npt.NDArray[np.float64]:
    if stop <= start:
        return np.empty((0, width))
    first = start // BLOCK
    drawn = np.concatenate([draw(block) for block in range(first, (stop - 1) // BLOCK + 1)])
    return drawn[start - first * BLOCK : stop - first * BLOCK]


def _key(seed: int, *stream: int | str) -> npt.NDArray[np.uint64]:
    digest = hashlib.sha256(repr((int(seed), *stream)).encode()).digest()
    return np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)
