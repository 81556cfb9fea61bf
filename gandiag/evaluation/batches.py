"""Batches of a source, read ahead and brought to the device, halved where memory runs out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.core.protocols import Source
from gandiag.statistics.memory import is_out_of_memory

Found = TypeVar("Found")
BATCH_BYTES = 2**29  # of float32 samples in a batch of which the user did not say the size


@dataclass(frozen=True)
class Batch:
    """Samples `start` to `stop`, on the device; `samples` is None where nothing looks at them."""

    start: int
    stop: int
    samples: Tensor | None


def batches(
    source: Source | None,
    work: Callable[[Batch], Found],
    start: int,
    stop: int,
    batch_size: int,
    device: str,
    warn: Callable[[str], None],
) -> Iterator[tuple[Batch, Found]]:
    """Each batch with what `work` finds in it, in order. Image files are read ahead while `work` looks at others.

    Raises:
        InputError: memory does not hold a batch of one.
    """
    ahead = _Ahead(source, stop) if source is not None and source.info.kind == "images" else None
    try:
        size = batch_size
        while start < stop:
            end = min(start + size, stop)
            try:
                batch = _batch(source, ahead, start, end, size, device)
                found = work(batch)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                size = _halved(size, error, warn)
                continue
            yield batch, found
            start = end
    finally:
        if ahead is not None:
            ahead.close()


def fitting_batch(size: int, sample: Sequence[int]) -> int:
    """`size`, or fewer where samples of this shape are so large that the memory would not hold them."""
    return max(1, min(size, BATCH_BYTES // (4 * max(1, math.prod(sample)))))


def _halved(size: int, error: BaseException, warn: Callable[[str], None]) -> int:
    if size == 1:
        raise InputError(
            "the memory does not hold one sample and its extractor; use a smaller one, or --device cpu"
        ) from error
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    smaller = max(1, size // 2)
    warn(f"a batch of {size} does not fit the memory: going on with {smaller}")
    return smaller


def _batch(source: Source | None, ahead: _Ahead | None, start: int, stop: int, size: int, device: str) -> Batch:
    if source is None:
        return Batch(start, stop, None)
    samples = source.read(start, stop) if ahead is None else ahead.read(start, stop, size)
    if device.startswith("cuda") and samples.device.type == "cpu":
        samples = samples.pin_memory().to(device, non_blocking=True)
    return Batch(start, stop, samples)


class _Ahead:
    """Reads the batch after the one that was asked for in another thread."""

    def __init__(self, source: Source, stop: int) -> None:
        self._source, self._stop = source, stop
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gandiag-read")
        self._next: tuple[tuple[int, int], Future[Tensor]] | None = None

    def read(self, start: int, stop: int, size: int) -> Tensor:
        asked, coming = self._next or ((-1, -1), None)
        samples = coming.result() if coming is not None and asked == (start, stop) else self._source.read(start, stop)
        following = (stop, min(stop + size, self._stop))
        self._next = None
        if following[0] < following[1]:
            self._next = following, self._pool.submit(self._source.read, *following)
        return samples

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
