"""Sets of digits whose scores theory knows: what the self-test feeds to the metrics.

All are real digits that come with gandiag, looked at by the extractor that comes with it: nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.errors import InternalError
from gandiag.core.modes import ClassModes, Modes
from gandiag.core.protocols import Extracted, Extractor, ExtractorInfo, ExtractorOptions, SourceInfo
from gandiag.datasets import load_dataset
from gandiag.evaluation.extract import Task, extract
from gandiag.extractors import open_extractor
from gandiag.statistics.feature_bank import FeatureBank

SAMPLES = 1000
CLASSES_LEFT = (1, 4, 7)  # of the collapsed set
DISTINCT = 20  # digits of the collapsed set
MOVED = 5  # pixels that the shifted digits lie to the right and below
NAMES = ("identical", "fresh", "shifted", "collapsed", "copies")
HEADS = ("features", "logits", "moments", "spatial_moments", "images", "labels")


@dataclass(frozen=True)
class KnownSets:
    """The banks of the real side and of the fakes.

    Attributes:
        real: training digits, with modes, and with digits of the test split held out.
        fakes: `identical`: the very same digits; `fresh`: other training digits; `shifted`: those moved and blurred;
            `collapsed`: few of them, of few classes, over and over; `copies`: half of the training digits, twice each,
            with a grey level's noise that nobody sees. The pairs of each are what its digits were before they were
            changed: `targets` and `inputs`, with the digits themselves as `images` and `cycled`.
        share_left: share of the real digits that are of the collapsed set's classes.
    """

    real: FeatureBank
    fakes: Mapping[str, FeatureBank]
    share_left: float


@dataclass(frozen=True)
class DigitSource:
    """Digits in memory, uint8 (n, 1, 28, 28), with their classes."""

    info: SourceInfo
    images: Tensor
    classes: Tensor

    def read(self, start: int, stop: int) -> Tensor:
        return self.images[start:stop]

    def labels(self, start: int, stop: int) -> Tensor:
        return self.classes[start:stop]


@dataclass(frozen=True)
class _WithPositions:
    """The extractor of digits, and beside it a coarse picture of where the ink is, for metrics of spatial features."""

    inner: Extractor
    info: ExtractorInfo

    def __call__(self, samples: Tensor) -> Extracted:
        coarse = torch.nn.functional.avg_pool2d(samples.float() / 255, 4).flatten(1)
        return replace(self.inner(samples), spatial=coarse)


def known_sets(advance: Callable[[str], None] = lambda name: None) -> KnownSets:
    """All sets, each looked at in one pass.

    Args:
        advance: told the name of each set that is done.
    """
    train, test = load_dataset("mnist"), load_dataset("mnist", split="test")
    images, classes = train.read(0, 2 * SAMPLES), train.labels(0, 2 * SAMPLES)
    held_images, held_classes = test.read(0, SAMPLES), test.labels(0, SAMPLES)
    if classes is None or held_classes is None:
        raise InternalError("the embedded digits have no classes")
    own, other = slice(SAMPLES), slice(SAMPLES, 2 * SAMPLES)
    rows = {
        "real": (images[own], classes[own]),
        "held out": (held_images, held_classes),
        "identical": (images[own], classes[own]),
        "fresh": (images[other], classes[other]),
        "shifted": (_shifted(images[other]), classes[other]),
        "collapsed": _collapsed(images[other], classes[other]),
        "copies": _copies(images[own], classes[own]),
    }
    extractor = digit_extractor()
    banks = {}
    for name, (found, labels) in rows.items():
        banks[name] = _bank(digit_source(name, found, labels), extractor, train.modes if name == "real" else None)
        advance(name)
    paths = _paths()
    fresh = images[other]
    before = {
        "identical": images[own],
        "fresh": fresh,
        "shifted": fresh,
        "collapsed": fresh,
        "copies": images[own][_copied()],
    }
    left = torch.isin(classes[own], torch.tensor(CLASSES_LEFT)).double().mean()
    return KnownSets(
        real=banks["real"].with_held_out(banks["held out"]),
        fakes={
            name: replace(
                banks[name],
                paths=paths[name],
                targets=before[name],
                inputs=before[name],
                cycled=banks[name].images,
            )
            for name in NAMES
        },
        share_left=float(left),
    )


def digit_extractor() -> Extractor:
    """The extractor that comes with gandiag, with spatial features."""
    inner = open_extractor("digits", ExtractorOptions())
    return _WithPositions(inner, replace(inner.info, heads=inner.info.heads | {"spatial"}))


def digit_source(name: str, images: Tensor, classes: Tensor) -> DigitSource:
    """Digits as a source called `name`."""
    info = SourceInfo(name, "array", tuple(images.shape[1:]), "uint8", size=len(images))
    return DigitSource(info, images, classes)


def _bank(source: DigitSource, extractor: Extractor, modes: Modes | None) -> FeatureBank:
    task = Task(extractor, dict.fromkeys(HEADS, SAMPLES))
    return replace(extract(source, {"digits": task}, SAMPLES, batch_size=250)["digits"], modes=modes)


def _shifted(images: Tensor) -> Tensor:
    moved = torch.nn.functional.pad(images.float(), (MOVED, 0, MOVED, 0))[..., : images.shape[2], : images.shape[3]]
    return torch.nn.functional.avg_pool2d(moved, 3, stride=1, padding=1).round().byte()


def _collapsed(images: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    kept = torch.isin(classes, torch.tensor(CLASSES_LEFT)).nonzero()[:DISTINCT, 0]
    chosen = kept.repeat(-(-SAMPLES // DISTINCT))[:SAMPLES]
    return images[chosen], classes[chosen]


def _copied() -> Tensor:
    return torch.arange(SAMPLES) // 2


def _copies(images: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    chosen = _copied()
    noise = torch.from_numpy(seeds.integers(0, "self-test/copies", 0, SAMPLES, images[0].numel(), 3)) - 1
    noisy = images[chosen].long() + noise.view_as(images[chosen])
    return noisy.clamp(0, 255).byte(), classes[chosen]


def _paths() -> dict[str, Tensor]:
    """Steps of generators: one whose image moves as fast everywhere, rough ones, and a collapsed one that stands."""
    drawn = torch.from_numpy(seeds.normal(0, "self-test/paths", 0, SAMPLES, 8)).square().sum(dim=1).float()
    return {
        "identical": torch.ones(SAMPLES),
        "fresh": drawn,
        "shifted": 4 * drawn,  # twice as steep
        "collapsed": torch.zeros(SAMPLES),
        "copies": drawn,
    }


def class_count(sets: KnownSets) -> int:
    """Classes of the real digits."""
    modes = sets.real.modes
    return modes.count if isinstance(modes, ClassModes) else 0
