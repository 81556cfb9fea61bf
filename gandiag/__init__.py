"""gandiag: is this GAN any good, is its training dying, and may it be released?

Everything public is here; nothing heavy is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from gandiag._version import __version__

if TYPE_CHECKING:
    from gandiag.core.errors import (
        GandiagError,
        InputError,
        InternalError,
        MissingDataError,
        TrainingError,
        UnknownNameError,
        UsageError,
    )
    from gandiag.core.protocols import Conditioning, DatasetOptions, ExtractorOptions, ImageSpec, Latent
    from gandiag.core.result import Result
    from gandiag.core.score import Score, measured, undefined
    from gandiag.core.training import TrainingProgress, TrainingRequest
    from gandiag.datasets import load_dataset
    from gandiag.evaluation.planning import plan_samples
    from gandiag.evaluation.score import score
    from gandiag.evaluation.statistics import build_statistics
    from gandiag.metrics._metric import Metric
    from gandiag.sources.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from gandiag.statistics.feature_bank import FeatureBank
    from gandiag.statistics.statistics_file import read_statistics, write_statistics
    from gandiag.study.make import make_study
    from gandiag.study.read import read_study

_HOMES = {
    "Checkpoint": "gandiag.sources.checkpoint",
    "Conditioning": "gandiag.core.protocols",
    "DatasetOptions": "gandiag.core.protocols",
    "ExtractorOptions": "gandiag.core.protocols",
    "FeatureBank": "gandiag.statistics.feature_bank",
    "GandiagError": "gandiag.core.errors",
    "ImageSpec": "gandiag.core.protocols",
    "InputError": "gandiag.core.errors",
    "InternalError": "gandiag.core.errors",
    "Latent": "gandiag.core.protocols",
    "Metric": "gandiag.metrics._metric",
    "MissingDataError": "gandiag.core.errors",
    "Result": "gandiag.core.result",
    "Score": "gandiag.core.score",
    "TrainingError": "gandiag.core.errors",
    "TrainingProgress": "gandiag.core.training",
    "TrainingRequest": "gandiag.core.training",
    "UnknownNameError": "gandiag.core.errors",
    "UsageError": "gandiag.core.errors",
    "build_statistics": "gandiag.evaluation.statistics",
    "load_checkpoint": "gandiag.sources.checkpoint",
    "make_study": "gandiag.study.make",
    "load_dataset": "gandiag.datasets",
    "measured": "gandiag.core.score",
    "plan_samples": "gandiag.evaluation.planning",
    "read_statistics": "gandiag.statistics.statistics_file",
    "read_study": "gandiag.study.read",
    "save_checkpoint": "gandiag.sources.checkpoint",
    "score": "gandiag.evaluation.score",
    "undefined": "gandiag.core.score",
    "write_statistics": "gandiag.statistics.statistics_file",
}

__all__ = [
    "Checkpoint",
    "Conditioning",
    "DatasetOptions",
    "ExtractorOptions",
    "FeatureBank",
    "GandiagError",
    "ImageSpec",
    "InputError",
    "InternalError",
    "Latent",
    "Metric",
    "MissingDataError",
    "Result",
    "Score",
    "TrainingError",
    "TrainingProgress",
    "TrainingRequest",
    "UnknownNameError",
    "UsageError",
    "__version__",
    "build_statistics",
    "load_checkpoint",
    "load_dataset",
    "make_study",
    "measured",
    "plan_samples",
    "read_statistics",
    "read_study",
    "save_checkpoint",
    "score",
    "undefined",
    "write_statistics",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'gandiag' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
