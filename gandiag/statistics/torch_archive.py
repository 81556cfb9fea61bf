"""PyTorch's ZIP archives, read part by part, so that a new one can be made of those parts that are plain."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

SPARE = 2**26  # bytes that an archive may unfold to beside what its size allows
GROWTH = 4  # PyTorch stores its parts as they are: an archive that unfolds to more than so many times is a trap


class RefusedError(ValueError):
    """Something in an archive that is not plain."""


def parts(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """The root folder, the name below it and the content of every part.

    Raises:
        RefusedError: two parts have one name, or they unfold to far more than the file's size.
        OSError, zipfile.BadZipFile: it cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if len({info.filename for info in infos}) != len(infos):
            raise RefusedError("two parts of one name")
        unfolded = sum(info.file_size for info in infos)
        if unfolded > GROWTH * path.stat().st_size + SPARE:
            raise RefusedError(f"parts that unfold to {unfolded:,} bytes")
        for info in infos:
            root, _, name = info.filename.partition("/")
            yield root, name, archive.read(info)
