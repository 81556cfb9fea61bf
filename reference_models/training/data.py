"""Real batches by number: batch k is the same whenever it is asked for."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from gandiag import UsageError
from reference_models.training import seeds


class Information(Protocol):
    """What is needed to know of a dataset."""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        ...

    @property
    def size(self) -> int | None:
        """How many samples there are; None where they are drawn without end."""
        ...


class Data(Protocol):
    """What is needed of a dataset: gandiag's own have it all."""

    @property
    def info(self) -> Information:
        """What the dataset is."""
        ...

    def read(self, start: int, stop: int) -> Tensor:
        """Samples `start` to `stop`."""
        ...


class Batches:
    """Batches of real samples, as the discriminator takes them.

    A dataset with a size is held in memory and shuffled anew in each epoch; what does not fill a batch is left out of
    that epoch. One that is drawn without end is read in its own order.

    Args:
        data: uint8 images (n, C, H, W), which become [-1, 1], or float points (n, d), which stay as they are.
        batch_size: samples in a batch.
        seed: of the shuffles.
        device: where the batches go.

    Raises:
        UsageError: the dataset is smaller than one batch.
    """

    def __init__(self, data: Data, batch_size: int, seed: int, device: torch.device) -> None:
        size = data.info.size
        if size is not None and size < batch_size:
            message = f"dataset {data.info.name} has {size} samples, less than one batch of {batch_size}"
            raise UsageError(f"{message}; use a larger one")
        self._data = data
        self._batch_size = batch_size
        self._seed = seed
        self._device = device
        self._samples = None if size is None else data.read(0, size)
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def __call__(self, number: int) -> Tensor:
        """Batch `number`, on the device."""
        return to_range(self._read(number).to(self._device))

    def _read(self, number: int) -> Tensor:
        if self._samples is None:
            return self._data.read(number * self._batch_size, (number + 1) * self._batch_size)
        epoch, place = divmod(number, len(self._samples) // self._batch_size)
        if epoch != self._epoch:
            source = seeds.generator(self._seed, "epoch", epoch)
            self._epoch, self._order = epoch, torch.randperm(len(self._samples), generator=source)
        return self._samples[self._order[place * self._batch_size : (place + 1) * self._batch_size]]


def to_range(samples: Tensor) -> Tensor:
    """Float32 samples: bytes become [-1, 1], with channels last in memory; points stay."""
    if samples.dtype != torch.uint8:
        return samples.float()
    images = samples.float() / 127.5 - 1
    return images.contiguous(memory_format=torch.channels_last)
