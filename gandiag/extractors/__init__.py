"""Extractors: images or points in, features and class logits out. One file is one extractor, its stem its name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gandiag.core.errors import UsageError
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


def check_used(opened: Iterable[Extractor], weights: Path | None, preprocessing: str | None) -> None:
    """See that what was asked of extractors is what they do.

    Raises:
        UsageError: none of them has weights, or looks at images in that way; or the way is none that there is.
    """
    infos = [each.info for each in opened]
    names = ", ".join(info.name for info in infos)
    whose = f"the extractor {names} has" if len(infos) == 1 else f"the extractors {names} have"
    if weights is not None and all(info.sha256 is None for info in infos):
        raise UsageError(f"--weights was given, and {whose} no weights")
    # An extractor says the name of the protocol first, and then maybe what it does beside.
    begins = (f"{preprocessing} to ", f"{preprocessing}, ")
    found = any(info.preprocessing == preprocessing or info.preprocessing.startswith(begins) for info in infos)
    if preprocessing is not None and not found:
        from gandiag.extractors._preprocessing import find_preprocessing

        find_preprocessing(preprocessing)  # a name that none has is told as such
        raise UsageError(f"--preprocessing was given, and {whose} {'its' if len(infos) == 1 else 'their'} own")
