"""Extractors: images or points in, features and class logits out. One file is one extractor, its stem its name."""

from __future__ import annotations

from pathlib import Path

from gandiag.core.protocols import Extractor, ExtractorFactory, ExtractorOptions
from gandiag.core.registry import Registry

EXTRACTORS: Registry[ExtractorFactory] = Registry(
    "extractor", "gandiag.extractors", "load", package="gandiag.extractors", separator="-"
)
FILE_SUFFIXES = (".pt", ".pth", ".ts", ".pt2")


def open_extractor(name_or_path: str, options: ExtractorOptions) -> Extractor:
    """The extractor that is registered under a name, or the one in a TorchScript or torch.export file.

    Raises:
        UnknownNameError: it is neither a registered name nor a path that ends as such files do.
        InputError: the weights or the file cannot be used.
    """
    if name_or_path.endswith(FILE_SUFFIXES):
        from gandiag.extractors._file import file_extractor

        return file_extractor(Path(name_or_path), options)
    return EXTRACTORS.load(name_or_path)(options)
