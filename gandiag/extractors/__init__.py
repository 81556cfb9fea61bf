"""Extractors: images or points in, features and class logits out. One file is one extractor, its stem its name."""

from __future__ import annotations

from gandiag.core.protocols import ExtractorFactory
from gandiag.core.registry import Registry

EXTRACTORS: Registry[ExtractorFactory] = Registry(
    "extractor", "gandiag.extractors", "load", package="gandiag.extractors", separator="-"
)
