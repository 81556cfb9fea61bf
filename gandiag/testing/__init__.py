"""The conformance kit: what every metric, extractor, dataset, source, detector and sink must do.

Each `check_*` raises AssertionError with a sentence that says which promise was broken.
"""

from __future__ import annotations

from gandiag.testing.detectors import check_detector
from gandiag.testing.extractors import check_extractor
from gandiag.testing.metrics import check_metric
from gandiag.testing.sinks import check_sink
from gandiag.testing.sources import check_dataset, check_source

__all__ = ["check_dataset", "check_detector", "check_extractor", "check_metric", "check_sink", "check_source"]
