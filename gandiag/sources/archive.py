"""Images in archives, read where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gandiag.core.errors import InputError, shown
from gandiag.core.protocols import Source
from gandiag.sources.decode import SUFFIXES
from gandiag.sources.encoded import encoded_source, folder_classes
from gandiag.sources.formats import File, SourceOptions
from gandiag.sources.labels_file import LabelsFile


class Part(Protocol):
    """One archive: its images by name, sorted, and what it says of them."""

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def labels(self) -> LabelsFile | None: ...

    def read(self, index: int) -> bytes:
        """The bytes of one image. Several threads ask at once."""
        ...


@dataclass(frozen=True)
class ArchiveContents:
    """The images of several archives, one after the other."""

    titles: Sequence[str]
    parts: Sequence[Part]
    names: Sequence[str]
    places: Sequence[tuple[int, int]]  # part, and index in it

    def read(self, index: int) -> bytes:
        part, place = self.places[index]
        return self.parts[part].read(place)

    def title(self, index: int) -> str:
        part, place = self.places[index]
        return f"{self.titles[part]}:{self.parts[part].names[place]}"


def archive_source(file: File, parts: Sequence[Part], options: SourceOptions) -> Source:
    """The images of the archives that are one source.

    Raises:
        InputError: there are none, or one cannot be read.
    """
    places = [(part, place) for part, archive in enumerate(parts) for place in range(len(archive.names))]
    if not places:
        kinds = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
        raise InputError(f"{shown(file.title)} holds no images ({kinds}); archives inside of it are not looked into")
    alone = len(parts) == 1
    # The number of the part goes first, so that the order is that of the parts.
    names = [parts[part].names[place] if alone else f"{part:06d}/{parts[part].names[place]}" for part, place in places]
    labels = _labels([archive.labels for archive in parts])
    if labels is None:
        labels = LabelsFile(folder_classes([parts[part].names[place] for part, place in places]))
    titles = [str(path) for path in file.parts] if not alone else [file.title]
    contents = ArchiveContents(titles, parts, names, places)
    return encoded_source(contents, file.title, path=file.origin, by_name=options.by_name, labels=labels)


def _labels(parts: Sequence[LabelsFile | None]) -> LabelsFile | None:
    """Of all parts together, where each says some."""
    if len(parts) == 1:
        return parts[0]
    classes = [part.classes for part in parts if part is not None and part.classes is not None]
    return LabelsFile([number for each in classes for number in each]) if len(classes) == len(parts) else None


def check_name(name: str, title: str, seen: set[str]) -> None:
    """See that an archive's name is one of a file inside of it, and there once.

    Raises:
        InputError: it is not; such archives are made to do harm, or are damaged.
    """
    if (
        not name
        or name.startswith(("/", "\\"))
        or ".." in name.replace("\\", "/").split("/")
        or name[1:3] in (":\\", ":/")
    ):
        raise InputError(f"{shown(title)} is refused: the name {shown(name)} in it leads out of it")
    if name in seen:
        raise InputError(f"{shown(title)} is refused: it holds {shown(name)} twice")
    seen.add(name)
