"""What a metric declares about itself, so that the evaluation can plan for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gandiag.core.score import Better, Score
from gandiag.statistics.feature_bank import FeatureBank


class MetricFunction(Protocol):
    """A pure function of two banks: the same banks and generator state give the same scores."""

    def __call__(self, *, real: FeatureBank, fake: FeatureBank, rng: np.random.Generator) -> dict[str, Score]: ...


@dataclass(frozen=True)
class Metric:
    """A registered metric.

    Attributes:
        compute: the function; it returns every score of `scores`, undefined ones too.
        scores: the names of its scores and which direction is better for each.
        heads: what it needs of an extractor: `features`, `logits`.
        minimum_samples: fewest samples a side that give it a value.
        real_heads: what it needs of the real side; the same as `heads` unless said. Empty: it looks at the fakes alone.
        mixture_heads: what it needs of an extractor where the modes are those of a mixture; the same as `heads`
            unless said.
        maximum_samples: samples a side that it takes where the user names no number; None for all.
        needs_modes: whether it needs a reference that has modes.
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
    version: int = 1
