"""gandiag: is this GAN any good, is its training dying, and may it be released?

Everything public is here; nothing heavy is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from gandiag._version import __version__

if TYPE_CHECKING:
    from gandiag.comparison.compare import compare
    from gandiag.comparison.table import Comparison
    from gandiag.core.alert import Alert
    from gandiag.core.errors import (
        GandiagError,
        InputError,
        InternalError,
        MissingDataError,
        MissingExtraError,
        TrainingAlert,
        TrainingError,
        UnknownNameError,
        UsageError,
    )
    from gandiag.core.generator_options import GeneratorOptions
    from gandiag.core.protocols import Conditioning, DatasetOptions, ExtractorOptions, ImageSpec, Latent
    from gandiag.core.result import Result
    from gandiag.core.score import Score, measured, undefined
    from gandiag.core.training import TrainingProgress, TrainingRequest
    from gandiag.datasets import load_dataset
    from gandiag.evaluation.planning import plan_samples
    from gandiag.evaluation.sampling import sample
    from gandiag.evaluation.score import score
    from gandiag.evaluation.statistics import build_statistics
    from gandiag.extractors import open_extractor
    from gandiag.gates.gate import gate
    from gandiag.gates.history import read_history
    from gandiag.gates.policy import Policy
    from gandiag.gates.verdict import Verdict
    from gandiag.metrics._metric import Metric
    from gandiag.monitor.diagnose import Diagnosis, diagnose
    from gandiag.monitor.monitor import Monitor
    from gandiag.monitor.watch import watch
    from gandiag.sources.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from gandiag.sources.inspection.file import inspect_file
    from gandiag.statistics.feature_bank import FeatureBank
    from gandiag.statistics.statistics_file import read_statistics, write_statistics
    from gandiag.study.make import make_study
    from gandiag.study.read import read_study

_HOMES = {
    "Alert": "gandiag.core.alert",
    "Checkpoint": "gandiag.sources.checkpoint",
    "Comparison": "gandiag.comparison.table",
    "Conditioning": "gandiag.core.protocols",
    "DatasetOptions": "gandiag.core.protocols",
    "Diagnosis": "gandiag.monitor.diagnose",
    "ExtractorOptions": "gandiag.core.protocols",
    "FeatureBank": "gandiag.statistics.feature_bank",
    "GandiagError": "gandiag.core.errors",
    "GeneratorOptions": "gandiag.core.generator_options",
    "ImageSpec": "gandiag.core.protocols",
    "InputError": "gandiag.core.errors",
    "InternalError": "gandiag.core.errors",
    "Latent": "gandiag.core.protocols",
    "Metric": "gandiag.metrics._metric",
    "Monitor": "gandiag.monitor.monitor",
    "MissingDataError": "gandiag.core.errors",
    "MissingExtraError": "gandiag.core.errors",
    "Policy": "gandiag.gates.policy",
    "Result": "gandiag.core.result",
    "Score": "gandiag.core.score",
    "TrainingAlert": "gandiag.core.errors",
    "TrainingError": "gandiag.core.errors",
    "TrainingProgress": "gandiag.core.training",
    "TrainingRequest": "gandiag.core.training",
    "UnknownNameError": "gandiag.core.errors",
    "UsageError": "gandiag.core.errors",
    "Verdict": "gandiag.gates.verdict",
    "build_statistics": "gandiag.evaluation.statistics",
    "compare": "gandiag.comparison.compare",
    "gate": "gandiag.gates.gate",
    "diagnose": "gandiag.monitor.diagnose",
    "inspect_file": "gandiag.sources.inspection.file",
    "load_checkpoint": "gandiag.sources.checkpoint",
    "load_dataset": "gandiag.datasets",
    "make_study": "gandiag.study.make",
    "measured": "gandiag.core.score",
    "open_extractor": "gandiag.extractors",
    "plan_samples": "gandiag.evaluation.planning",
    "read_history": "gandiag.gates.history",
    "read_statistics": "gandiag.statistics.statistics_file",
    "read_study": "gandiag.study.read",
    "sample": "gandiag.evaluation.sampling",
    "save_checkpoint": "gandiag.sources.checkpoint",
    "score": "gandiag.evaluation.score",
    "undefined": "gandiag.core.score",
    "watch": "gandiag.monitor.watch",
    "write_statistics": "gandiag.statistics.statistics_file",
}

__all__ = [
    "Alert",
    "Checkpoint",
    "Comparison",
    "Conditioning",
    "DatasetOptions",
    "Diagnosis",
    "ExtractorOptions",
    "FeatureBank",
    "GandiagError",
    "GeneratorOptions",
    "ImageSpec",
    "InputError",
    "InternalError",
    "Latent",
    "Metric",
    "MissingDataError",
    "MissingExtraError",
    "Monitor",
    "Policy",
    "Result",
    "Score",
    "TrainingAlert",
    "TrainingError",
    "TrainingProgress",
    "TrainingRequest",
    "UnknownNameError",
    "UsageError",
    "Verdict",
    "__version__",
    "build_statistics",
    "compare",
    "diagnose",
    "gate",
    "inspect_file",
    "load_checkpoint",
    "load_dataset",
    "make_study",
    "measured",
    "open_extractor",
    "plan_samples",
    "read_history",
    "read_statistics",
    "read_study",
    "sample",
    "save_checkpoint",
    "score",
    "undefined",
    "watch",
    "write_statistics",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'gandiag' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
