"""A folder of image files, in sub-folders too."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gandiag.core.errors import InputError, shown
from gandiag.core.files import read_bounded
from gandiag.core.protocols import Source
from gandiag.sources import labels_file
from gandiag.sources.decode import SUFFIXES
from gandiag.sources.encoded import checked_size, encoded_source, folder_classes, is_image
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.labels_file import LabelsFile

FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
TABLES = (".tar", ".parquet", ".zip")


@dataclass(frozen=True)
class FolderContents:
    """The image files under a folder."""

    root: str
    names: Sequence[str]

    def read(self, index: int) -> bytes:
        path = self.title(index)
        try:
            # A file object takes longer to make than a small file to read.
            descriptor = os.open(path, FLAGS)
            try:
                size = checked_size(os.fstat(descriptor).st_size, path)
                content = os.read(descriptor, size + 1)
                while 0 < len(content) < size and (more := os.read(descriptor, size + 1 - len(content))):
                    content += more
            finally:
                os.close(descriptor)
        except OSError as error:
            raise InputError(f"cannot read {shown(path)}: {error.strerror or error}") from error
        if len(content) != size:
            raise InputError(f"{shown(path)} has changed while it was read; score files that nothing writes to")
        return content

    def title(self, index: int) -> str:
        return f"{self.root}/{self.names[index]}"


def folder_source(path: str | os.PathLike[str], *, by_name: bool = False) -> Source:
    """All images under a folder; what is hidden and no image is left out, links to folders are not followed.

    Raises:
        InputError: there are none, or one cannot be read.
    """
    root = os.fspath(path)
    links: list[str] = []
    names = sorted(_images(root, links))
    if not names:
        raise InputError(_nothing(Path(root)))
    notes = [f"{len(links)} links to folders in {root} are not followed, such as {links[0]}"] if links else []
    return encoded_source(
        FolderContents(root, names),
        root,
        path=root,
        by_name=by_name,
        labels=_labels(Path(root), names),
        warnings=notes,
    )


def _images(root: str, links: list[str]) -> Iterator[str]:
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as found:  # noqa: PTH118
                for entry in found:
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(name)
                    elif is_image(name):
                        if entry.is_symlink() and entry.is_dir():
                            links.append(name)
                        elif entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110
                            raise InputError(f"{shown(entry.path)} is a link to nothing; remove it or restore the file")
                        elif entry.is_file():
                            yield name
                    elif entry.is_symlink() and entry.is_dir():
                        links.append(name)
        except OSError as error:
            place = shown(os.path.join(root, folder) if folder else root)  # noqa: PTH118
            raise InputError(f"cannot read the folder {place}: {error.strerror or error}") from error


def _labels(root: Path, names: Sequence[str]) -> LabelsFile:
    said = root / labels_file.NAME
    if not said.is_file():
        return LabelsFile(folder_classes(names))
    return labels_file.read_labels(read_bounded(said), names, str(said))


def _nothing(root: Path) -> str:
    kinds = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
    message = f"the folder {shown(root)} holds no images ({kinds})"
    others = sorted(file.name for file in root.iterdir() if file.suffix.lower() in TABLES)
    if others:
        return (
            f"{message}; name the files in it, such as {shown(root / others[0])}, or several as NAME-{{000..012}}.tar"
        )
    return f"{message}; give a checkpoint or a folder with images"


def _open(file: File, options: SourceOptions) -> Source:
    if (file.path / "checkpoint.pt").is_file():
        checkpoint = file.path / "checkpoint.pt"
        raise InputError(f"{shown(file.path)} is a run folder; score the checkpoint in it: {checkpoint}")
    return folder_source(file.path, by_name=options.by_name)


READER = Reader("a folder of images", lambda file: file.folder, _open)
