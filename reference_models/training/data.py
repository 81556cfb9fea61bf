"""Real batches by number: batch k is the same whenever it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from gandiag import UsageError
from reference_models.training import seeds

STACKED = 10  # classes of each channel of a stack
LOOK = 10_000  # samples of an endless dataset that are looked at for the number of its classes


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


class Labelled(Data, Protocol):
    """A dataset that knows the class of its samples."""

    def labels(self, start: int, stop: int) -> Tensor | None:
        """Classes of samples `start` to `stop`: (n,), or (n, C) for one a channel; None if unlabelled."""
        ...


class Part:
    """Samples `start` to `stop` of a dataset.

    Args:
        data: the dataset.
        start: its first sample.
        stop: the one after its last; None for none, of a dataset that is drawn without end.
    """

    def __init__(self, data: Data, start: int, stop: int | None) -> None:
        self._data, self._start, self._stop = data, start, stop
        self.info = PartInfo(data.info.name, data.info.shape, None if stop is None else stop - start)

    def read(self, start: int, stop: int) -> Tensor:
        """Samples of the part."""
        return self._data.read(*self._place(start, stop))

    def labels(self, start: int, stop: int) -> Tensor | None:
        """Classes of samples of the part."""
        return self._data.labels(*self._place(start, stop)) if hasattr(self._data, "labels") else None

    def _place(self, start: int, stop: int) -> tuple[int, int]:
        end = self._start + stop
        return self._start + start, end if self._stop is None else min(end, self._stop)


@dataclass(frozen=True)
class PartInfo:
    """What a part is."""

    name: str
    shape: tuple[int, ...]
    size: int | None


class Batches:
    """Batches of real samples, as the discriminator takes them.

    A dataset with a size is held in memory and shuffled anew in each epoch; what does not fill a batch is left out of
    that epoch. One that is drawn without end is read in its own order.

    Args:
        data: uint8 images (n, C, H, W), which become [-1, 1], or float points (n, d), which stay as they are.
        batch_size: samples in a batch.
        seed: of the shuffles.
        device: where the batches go.
        limit: only the first so many samples are used; 0 for all.

    Raises:
        UsageError: the dataset is smaller than one batch.
    """

    def __init__(self, data: Data, batch_size: int, seed: int, device: torch.device, limit: int = 0) -> None:
        size = data.info.size
        if limit:
            size = limit if size is None else min(limit, size)
        if size is not None and size < batch_size:
            if limit and size == limit:
                message = f"samples is {limit}, less than one batch of {batch_size}"
                raise UsageError(f"{message}; raise samples, or set a smaller batch_size")
            message = f"dataset {data.info.name} has {size} samples, less than one batch of {batch_size}"
            raise UsageError(f"{message}; use a larger one, or set a smaller batch_size")
        self._data = data
        self._batch_size = batch_size
        self._seed = seed
        self._device = device
        self._classes: Tensor | None = None
        self._size = size
        self._samples = None if size is None else data.read(0, size)
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def __call__(self, number: int) -> Tensor:
        """Batch `number`, on the device."""
        if self._samples is None:
            samples = self._data.read(number * self._batch_size, (number + 1) * self._batch_size)
        else:
            samples = self._samples[self._places(self._samples, number)]
        return to_range(samples.to(self._device))

    def labels(self, number: int) -> Tensor:
        """The classes of batch `number`, int64 (n,), on the device.

        Raises:
            UsageError: the dataset has no labels.
        """
        if self._size is None:
            found = classes(self._data, number * self._batch_size, (number + 1) * self._batch_size)
        else:
            if self._classes is None:
                self._classes = classes(self._data, 0, self._size)
            found = self._classes[self._places(self._classes, number)]
        return found.to(self._device)

    def _places(self, stored: Tensor, number: int) -> Tensor:
        epoch, place = divmod(number, len(stored) // self._batch_size)
        if epoch != self._epoch:
            source = seeds.generator(self._seed, "epoch", epoch)
            self._epoch, self._order = epoch, torch.randperm(len(stored), generator=source)
        return self._order[place * self._batch_size : (place + 1) * self._batch_size]


def classes(data: Data | Labelled, start: int, stop: int) -> Tensor:
    """The classes of samples `start` to `stop`, int64 (n,); of a stack, its digits read as one number.

    Raises:
        UsageError: the dataset has no labels.
    """
    labels = data.labels(start, stop) if hasattr(data, "labels") else None
    if labels is None:
        raise UsageError(f"dataset {data.info.name} has no labels; choose another --dataset or recipe")
    found = labels[:, 0] if labels.ndim == 2 else labels
    for column in labels.unbind(1)[1:] if labels.ndim == 2 else ():
        found = found * STACKED + column
    result: Tensor = found
    return result


def count_classes(data: Data) -> int:
    """How many classes the labels of a dataset have.

    Raises:
        UsageError: the dataset has no labels.
    """
    known = getattr(data, "modes", None)
    if known is not None:
        return int(known.count)
    return int(classes(data, 0, data.info.size or LOOK).max()) + 1


def to_range(samples: Tensor) -> Tensor:
    """Float32 samples: bytes become [-1, 1], with channels last in memory; points stay."""
    if samples.dtype != torch.uint8:
        return samples.float()
    images = samples.float() / 127.5 - 1
    return images.contiguous(memory_format=torch.channels_last)
