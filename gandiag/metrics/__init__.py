"""Metrics: pure functions of two feature banks. One file is one metric, its stem its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gandiag.core.registry import Registry

if TYPE_CHECKING:
    from gandiag.metrics._metric import Metric

METRICS: Registry[Metric] = Registry("metric", "gandiag.metrics", "METRIC", package="gandiag.metrics")
