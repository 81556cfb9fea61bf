"""Detectors: pure over the stream of records; one file each, and its stem is the kind of its alerts."""

from __future__ import annotations

from gandiag.core.registry import Registry
from gandiag.monitor.detectors._detector import DetectorType

DETECTORS: Registry[DetectorType] = Registry(
    "detector", "gandiag.detectors", "DETECTOR", package="gandiag.monitor.detectors"
)
