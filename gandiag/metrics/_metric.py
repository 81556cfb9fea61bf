"""What a metric declares about itself, so that the evaluation can plan for it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from gandiag.core.errors import UsageError, suggestion
from gandiag.core.score import Better, Score
from gandiag.statistics.feature_bank import FeatureBank


class MetricFunction(Protocol):
    """A pure function of two banks: the same banks and generator state give the same scores."""

    def __call__(self, *, real: FeatureBank, fake: FeatureBank, rng: np.random.Generator) -> dict[str, Score]: ...


# What a metric can ask for, and which of an extractor's outputs that takes.
HEADS = {
    "features": "features",
    "logits": "logits",
    "moments": "features",
    "spatial_moments": "spatial",
    "paths": "features",
    "images": None,
    "labels": None,
    "inputs": None,
    "targets": None,
    "cycled": None,
}


@dataclass(frozen=True)
class Metric:
    """A registered metric.

    Attributes:
        compute: the function; it returns every score of `scores`, undefined ones too. What it takes beside `real`,
            `fake` and `rng` are its settings, by keyword with a default: `configured` changes them.
        scores: the names of its scores and which direction is better for each.
        heads: fields of the FeatureBank that it needs: `features`, `logits`, `moments`, `spatial_moments`, `images`,
            `labels`, `paths`, and of image-to-image models `inputs`, `targets`, `cycled`. One that needs `images`
            gets the `labels` too where there are any, and one that needs `targets` the `inputs`.
        minimum_samples: fewest samples a side that give it a value.
        real_heads: what it needs of the real side; the same as `heads` unless said. Empty: it looks at the fakes alone.
        mixture_heads: what it needs of an extractor where the modes are those of a mixture; the same as `heads`
            unless said.
        maximum_samples: samples a side that it takes where the user names no number; None for all.
        needs_modes: whether it needs a reference that has modes.
        needs_held_out: whether it needs `real.held_out`, other real samples than the reference.
        extractor: the one that it is defined for, in place of the reference's default.
        images_only: whether it is for images and not for points.
        version: goes into the fingerprint; raised when its numbers change.
    """

    compute: MetricFunction
    scores: dict[str, Better | None]
    heads: frozenset[str]
    minimum_samples: int
    real_heads: frozenset[str] | None = None
    mixture_heads: frozenset[str] | None = None
    maximum_samples: int | None = None
    needs_modes: bool = False
    needs_held_out: bool = False
    extractor: str | None = None
    images_only: bool = False
    version: int = 1

    @property
    def extracts(self) -> bool:
        """Whether it looks at what an extractor finds, and not only at the samples themselves."""
        return any(HEADS[head] for head in self.heads | (self.real_heads or frozenset()))


def configured(metric: Metric, settings: Mapping[str, Any]) -> Metric:
    """The metric with other settings, which are keyword arguments of its `compute`.

    Raises:
        UsageError: it has no such setting.
    """
    known = [name for name in inspect.signature(metric.compute).parameters if name not in ("real", "fake", "rng")]
    for name in settings:
        if name not in known:
            raise UsageError(f"the metric has no setting {name!r}{suggestion(name, known)}; it has {', '.join(known)}")
    return replace(metric, compute=partial(metric.compute, **settings)) if settings else metric
