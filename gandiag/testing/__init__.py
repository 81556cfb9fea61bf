"""The conformance kit: what every metric, extractor, dataset and source must do, as functions for any test runner.

Each `check_*` raises AssertionError with a sentence that says which promise was broken.
"""

from __future__ import annotations

from gandiag.testing.extractors import check_extractor
from gandiag.testing.metrics import check_metric
from gandiag.testing.sources import check_dataset, check_source

__all__ = ["check_dataset", "check_extractor", "check_metric", "check_source"]
