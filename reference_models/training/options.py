"""What is done beside the training, and how it computes; nothing here decides what is learnt, but for rounding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Options:
    """Switches of a run.

    Attributes:
        amp: the networks compute in bfloat16 where that is safe, and so round otherwise.
        compile: the networks are compiled, and so round otherwise.
        monitor: gandiag's monitor watches, and writes the run log.
        evaluate_every: steps from one score to the next; 0 for none.
        metrics: what is scored; the first one decides which checkpoint is best.
        evaluate_samples: how many are made for it; None for the dataset's own number.
        tensorboard: whether scalars are written for TensorBoard.
        data: where the scores find their data: `data_root` and `download` of `gandiag.score`.
    """

    amp: bool = False
    compile: bool = False
    monitor: bool = False
    evaluate_every: int = 0
    metrics: tuple[str, ...] = ("fid",)
    evaluate_samples: int | None = None
    tensorboard: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)
