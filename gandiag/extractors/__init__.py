"""Extractors: images or points in, features and class logits out. One file is one extractor, its stem its name."""

from __future__ import annotations

from gandiag.core.protocols import Extractor, ExtractorFactory, ExtractorOptions
from gandiag.core.registry import Registry

EXTRACTORS: Registry[ExtractorFactory] = Registry(
    "extractor", "gandiag.extractors", "load", package="gandiag.extractors", separator="-"
)


def open_extractor(name: str, options: ExtractorOptions) -> Extractor:
    """The extractor of a registered name.

    Raises:
        UnknownNameError: there is none.
        MissingDataError: its weights are not on this machine.
    """
    return EXTRACTORS.load(name)(options)
