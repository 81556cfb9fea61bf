"""What the rooms promise each other.

Sources give samples, datasets are sources with a meaning, extractors give features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from gandiag.core.errors import InputError, shown

if TYPE_CHECKING:
    from torch import Tensor

    from gandiag.core.modes import Modes

Precision = Literal["fp32", "tf32", "bf16"]
DISTRIBUTIONS = ("normal", "uniform", "sphere")


@dataclass(frozen=True)
class SourceInfo:
    """What a source is.

    Attributes:
        name: what to call it in tables.
        kind: `checkpoint`, `generator`, `images`, `array` or `dataset`.
        shape: of one sample: (C, H, W) for images, (d,) for points.
        quantisation: `uint8` for images, `none` for points.
        size: how many samples there are; None for as many as asked.
        path: where it came from, if from a file.
        sha256: of its content: of its samples, or of a checkpoint's file.
        shuffled: whether stored samples are read in gandiag's fixed random order, not in that of their rows or names.
        weights: which of a checkpoint's weights are used, `generator_ema` or `generator`.
        dataset: name of the data that it imitates, if it says so.
        step: generator steps that it was trained for, if it says so.
        lossy: the compression that changed its images, such as `JPEG`; None where none is known.
        warnings: what to know of how it was read, such as channels that were dropped, or what was guessed.
        details: of a generator: its latents, labels and values, in plain values for the Result.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    quantisation: Literal["uint8", "none"]
    size: int | None = None
    path: str | None = None
    sha256: str | None = None
    shuffled: bool = False
    weights: str | None = None
    dataset: str | None = None
    step: int | None = None
    lossy: str | None = None
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)


@runtime_checkable
class Source(Protocol):
    """Samples by index: sample i is the same whatever else is read, in whatever order."""

    @property
    def info(self) -> SourceInfo: ...

    def read(self, start: int, stop: int) -> Tensor:
        """Samples `start` to `stop`: uint8 (n, C, H, W) for images, float32 (n, d) for points."""
        ...


@runtime_checkable
class Dataset(Source, Protocol):
    """A source that knows what it is for.

    Attributes:
        extractor: name of the extractor that its scores use by default.
        samples: how many samples its published protocol takes.
        modes: what its modes are, or None.
    """

    @property
    def extractor(self) -> str: ...

    @property
    def samples(self) -> int: ...

    @property
    def modes(self) -> Modes | None: ...

    def labels(self, start: int, stop: int) -> Tensor | None:
        """Class of samples `start` to `stop`: int64 (n,), or (n, C) for one a channel; None if unlabelled."""
        ...


@runtime_checkable
class ChannelDataset(Dataset, Protocol):
    """A dataset whose samples are stacks of single-channel images out of a smaller set."""

    @property
    def base(self) -> Source: ...

    def indices(self, start: int, stop: int) -> Tensor:
        """Which image of `base` is in each channel of samples `start` to `stop`: int64 (n, C)."""
        ...


@dataclass(frozen=True)
class DatasetOptions:
    """How to open a dataset.

    Attributes:
        split: `train` (the default), `test`, or another that the dataset has.
        seed: of datasets that are drawn rather than stored.
        root: folder with the full published sets, if the user has them.
        download: whether the user asked for a download into `root`.
    """

    split: str = "train"
    seed: int = 0
    root: Path | None = None
    download: bool = False


class DatasetFactory(Protocol):
    """What a dataset module's `load` is."""

    def __call__(self, options: DatasetOptions) -> Dataset: ...


@dataclass(frozen=True)
class ExtractorInfo:
    """What an extractor is.

    Attributes:
        name: as it is registered.
        sha256: of its weights; None where it has none.
        preprocessing: from a sample to the network's input, in words, or the name of a preprocessing protocol.
        heads: what it gives, of `features`, `logits` and `spatial`.
        per_channel: whether a stack's features are those of its channels, joined.
        batch_size: samples at a time that suit the device; a constant, not a measurement, so that numbers repeat.
    """

    name: str
    sha256: str | None
    preprocessing: str
    heads: frozenset[str]
    per_channel: bool = False
    batch_size: int = 512


@dataclass(frozen=True)
class Extracted:
    """What an extractor found in a batch, float32.

    Attributes:
        features: (n, d).
        logits: (n, groups, classes), a group for each labelled part of a sample.
        spatial: (n, s), features that keep the position in the image, for `sfid`.
    """

    features: Tensor
    logits: Tensor | None = None
    spatial: Tensor | None = None


class Extractor(Protocol):
    """Images or points in, features out.

    A `per_channel` extractor gives for a stack what it gives for its channels, joined.
    """

    @property
    def info(self) -> ExtractorInfo: ...

    def __call__(self, samples: Tensor) -> Extracted:
        """What it finds in a batch.

        Takes what a source reads, uint8 (n, C, H, W) or float32 (n, d), and images that were not quantised, float32
        on the same scale from 0 to 255. Raises InputError for a shape that it cannot take.
        """
        ...


@dataclass(frozen=True)
class ExtractorOptions:
    """How to open an extractor.

    Attributes:
        device: `cpu`, `cuda` or `cuda:i`.
        precision: of the arithmetic.
        weights: file that replaces the default weights.
        preprocessing: name of a preprocessing protocol that replaces the extractor's own.
        compile: compile the network with frozen weights: slower to start, faster after.
    """

    device: str = "cpu"
    precision: Precision = "fp32"
    weights: Path | None = None
    preprocessing: str | None = None
    compile: bool = False


class ExtractorFactory(Protocol):
    """What an extractor module's `load` is."""

    def __call__(self, options: ExtractorOptions) -> Extractor: ...


@dataclass(frozen=True)
class Latent:
    """The generator's input: `dim` numbers, `normal`, `uniform` on (-1, 1), or on the `sphere` of radius 1.

    Attributes:
        dim: how many numbers.
        distribution: of the numbers.
        shape: in which one latent is given to the generator; (dim,) unless said.
    """

    dim: int
    distribution: str = "normal"
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if type(self.dim) is not int or not 0 < self.dim <= 2**20:
            raise InputError(f"latent.dim is {shown(self.dim)}, expected a whole number from 1 to {2**20}")
        if self.distribution not in DISTRIBUTIONS:
            known = ", ".join(DISTRIBUTIONS)
            raise InputError(f"latent.distribution is {shown(self.distribution)}, expected one of {known}")
        shape = self.shape or (self.dim,)
        if not isinstance(shape, list | tuple) or not all(type(size) is int and size > 0 for size in shape):
            raise InputError(f"latent.shape is {shown(shape)}, expected whole numbers of 1 or more")
        if math.prod(shape) != self.dim:
            raise InputError(f"latent.shape is {shown(shape)}, which is not {self.dim} numbers as latent.dim says")
        object.__setattr__(self, "shape", tuple(shape))


@dataclass(frozen=True)
class ImageSpec:
    """The generator's output.

    Attributes:
        shape: (C, H, W) for images, (d,) for points.
        range: the values that mean black and white, (-1, 1) for images unless said; None for points.
    """

    shape: tuple[int, ...]
    range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        shape, limits = self.shape, self.range
        if not isinstance(shape, list | tuple) or len(shape) not in (1, 3):
            raise InputError(f"image.shape is {shown(shape)}, expected [channels, height, width], or [d] for points")
        if not all(type(size) is int and 0 < size <= 2**16 for size in shape):
            raise InputError(f"image.shape is {shown(shape)}, expected whole numbers of 1 or more")
        if limits is None and len(shape) == 3:
            limits = (-1.0, 1.0)
        if limits is not None:
            if not isinstance(limits, list | tuple) or len(limits) != 2:
                raise InputError(f"image.range is {shown(limits)}, expected [low, high]")
            if not all(isinstance(limit, int | float) and math.isfinite(limit) for limit in limits):
                raise InputError(f"image.range is {shown(limits)}, expected two finite numbers")
            if not limits[0] < limits[1]:
                raise InputError(f"image.range is {shown(limits)}, expected the lower limit first")
            limits = (float(limits[0]), float(limits[1]))
        object.__setattr__(self, "shape", tuple(shape))
        object.__setattr__(self, "range", limits)


@dataclass(frozen=True)
class Conditioning:
    """Labels that the generator takes: `num_classes` classes."""

    num_classes: int

    def __post_init__(self) -> None:
        if type(self.num_classes) is not int or not 0 < self.num_classes <= 2**20:
            found = shown(self.num_classes)
            raise InputError(f"conditioning.num_classes is {found}, expected a whole number from 1 to {2**20}")


@dataclass(frozen=True)
class Progress:
    """Part of some long work that has been done."""

    task: str
    done: int
    total: int
    note: str = ""


class ProgressCallback(Protocol):
    """Told about long work as it goes on."""

    def __call__(self, progress: Progress) -> None: ...
