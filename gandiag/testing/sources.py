"""What every source and every dataset must do."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from gandiag.core.errors import UsageError
from gandiag.core.modes import ClassModes
from gandiag.core.protocols import ChannelDataset, Dataset, DatasetFactory, DatasetOptions, Source
from gandiag.testing._expect import expect, largest_difference

LONGEST = 600  # samples read at most: beyond two blocks of gandiag.core.seeds
KINDS = ("checkpoint", "generator", "images", "array", "dataset")


def check_source(open_source: Callable[[], Source], *, tolerance: float = 0.0) -> None:
    """Check a source of two samples or more.

    Args:
        open_source: opens it; called twice, and both must be the same.
        tolerance: allowed difference between two ways to cut the ranges (1, one grey level, for images of networks).

    Raises:
        AssertionError: the samples depend on how they are read, are not of the declared type and shape, or opening the
            source again gives other samples or another sha256.
    """
    source, again = open_source(), open_source()
    info = source.info
    expect(isinstance(source, Source), f"{type(source).__name__} is no Source: it lacks info or read")
    expect(info.kind in KINDS, f"its kind is {info.kind!r}, expected one of {', '.join(KINDS)}")
    expect(info == again.info, "opening it twice gives two infos, such as another sha256")
    count = LONGEST if info.size is None else min(info.size, LONGEST)
    expect(count >= 2, "it has fewer than two samples")
    samples = source.read(0, count)
    images = info.quantisation == "uint8"
    expect(
        len(info.shape) == (3 if images else 1),
        f"the shape {info.shape} does not fit quantisation {info.quantisation!r}",
    )
    wanted = torch.uint8 if images else torch.float32
    expect(samples.dtype == wanted, f"it gives {samples.dtype}, expected {wanted}")
    expect(
        tuple(samples.shape) == (count, *info.shape),
        f"it gives {tuple(samples.shape)}, expected {(count, *info.shape)}",
    )
    expect(images or bool(torch.isfinite(samples).all()), "it gives NaN or infinite values")
    varied = any(not torch.equal(samples[0], sample) for sample in samples[1:])
    expect(varied, "all of its samples are the same")
    _check_ranges(source.read, samples, tolerance, "samples")
    expect(largest_difference(again.read(0, count), samples) == 0, "opening it twice gives two sets of samples")


def check_dataset(factory: DatasetFactory, options: DatasetOptions | None = None) -> None:
    """Check a dataset: all that a source does, exactly, and its labels, modes, splits and seed.

    Args:
        factory: what its module's `load` is.
        options: how to open it, if not as it is by default.

    Raises:
        AssertionError: it breaks a promise of `gandiag.core.protocols.Dataset`.
        MissingDataError: its data are not on this machine.
    """
    options = options or DatasetOptions()
    dataset = factory(options)
    check_source(lambda: factory(options))
    expect(dataset.info.kind == "dataset", f"its kind is {dataset.info.kind!r}")
    expect(bool(dataset.info.dataset), "its info does not name the dataset")
    expect(bool(dataset.info.sha256), "it has no sha256")
    expect(bool(dataset.extractor), "it names no extractor")
    expect(dataset.samples > 0, "its protocol takes no samples")
    count = LONGEST if dataset.info.size is None else min(dataset.info.size, LONGEST)
    _check_labels(dataset, count)
    if isinstance(dataset, ChannelDataset):
        _check_stacks(dataset, count)
    if dataset.info.size is None:
        _check_seed(factory, options, dataset)
    try:
        factory(dataclasses.replace(options, split="no-such-split"))
    except UsageError:
        return
    raise AssertionError("a split that it does not have is no UsageError")


def _check_ranges(read: Callable[[int, int], Tensor], whole: Tensor, tolerance: float, what: str) -> None:
    count = len(whole)
    cuts = sorted({0, 1, count // 3, count // 2, min(255, count), min(256, count), min(257, count), count})
    for start, stop in reversed(list(itertools.pairwise(cuts))):  # backwards: the order must not matter either
        difference = largest_difference(read(start, stop), whole[start:stop])
        expect(
            difference <= tolerance, f"{what} {start} to {stop} differ from those of one long read (by {difference:g})"
        )


def _check_labels(dataset: Dataset, count: int) -> None:
    labels = dataset.labels(0, count)
    modes = dataset.modes
    if modes is not None:
        shares = modes.probabilities()
        fits = len(shares) == modes.count and bool((shares >= 0).all()) and bool(np.isclose(shares.sum(), 1))
        expect(fits, "the shares of its modes are no distribution")
        expect(len({modes.name(index) for index in range(modes.count)}) == modes.count, "two modes share a name")
    if labels is None:
        return
    shapes = {(count,), (count, dataset.info.shape[0])}
    expect(tuple(labels.shape) in shapes, f"labels are {tuple(labels.shape)}, expected one of {sorted(shapes)}")
    expect(labels.dtype == torch.int64, f"labels are {labels.dtype}, expected int64")
    classes = len(modes.frequencies) if isinstance(modes, ClassModes) else None if modes is None else modes.count
    inside = int(labels.min()) >= 0 and (classes is None or int(labels.max()) < classes)
    expect(inside, f"labels run from {int(labels.min())} to {int(labels.max())} of {classes} classes")

    def read(start: int, stop: int) -> Tensor:
        part = dataset.labels(start, stop)
        return torch.empty(0) if part is None else part

    _check_ranges(read, labels, 0.0, "labels")


def _check_stacks(dataset: ChannelDataset, count: int) -> None:
    index = dataset.indices(0, count)
    expect(tuple(index.shape) == (count, dataset.info.shape[0]), f"indices are {tuple(index.shape)}")
    base = dataset.base.read(0, dataset.base.info.size or int(index.max()) + 1)
    expect(torch.equal(base[index, 0], dataset.read(0, count)), "its samples are not the stacks that its indices say")


def _check_seed(factory: DatasetFactory, options: DatasetOptions, dataset: Dataset) -> None:
    other = factory(dataclasses.replace(options, seed=options.seed + 1))
    expect(not torch.equal(other.read(0, 64), dataset.read(0, 64)), "another seed draws the same samples")
    expect(other.info.sha256 != dataset.info.sha256, "another seed has the same sha256")
