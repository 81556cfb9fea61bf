"""The fields of a detector's thresholds: default, meaning, unit, source and range, all in one place."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

PILOT = "pilot of 94 runs"  # what gandiag's research measured or tested there
BENCHMARK = "benchmarks/detectors, its tuning half"
PROPOSAL = "proposal"  # ours, not measured by itself


def threshold(
    default: Any, meaning: str, *, unit: str, source: str = PROPOSAL, low: float = 0.0, high: float = math.inf
) -> Any:
    """A field of a thresholds dataclass.

    Args:
        default: its value.
        meaning: what it limits.
        unit: such as `steps` or `ratio`.
        source: where the default comes from.
        low: the least value allowed.
        high: the largest value allowed.
    """
    about = {"meaning": meaning, "unit": unit, "source": source, "low": low, "high": high}
    return dataclasses.field(default=default, metadata=about)


def steps(default: int, meaning: str, *, source: str = PROPOSAL) -> Any:
    """A field counted in steps, 0 or more."""
    return threshold(default, meaning, unit="steps", source=source)
