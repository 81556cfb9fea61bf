"""PyTorch's files, looked at before they are loaded: their archives part by part, and their pickles step by step."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from gandiag.core.errors import HostileFileError, shown
from gandiag.core.pickles import HostilePickleError, PickleError, saved_pickles
from gandiag.core.zip_file import open_zip

SPARE = 2**26  # bytes that an archive may unfold to beside what its size allows
GROWTH = 4  # PyTorch stores its parts as they are: an archive that unfolds to more than so many times is a trap


class RefusedError(ValueError):
    """Something in an archive that is not plain."""


def check_saved(path: Path) -> None:
    """See that a file of torch.save does not ask for far more time or memory than its size allows.

    `weights_only=True` keeps code from running, and nothing else: it unfolds what is compressed, and a pickle of 200
    bytes keeps it busy for ever, by a key that is a tuple of tuples of tuples. What is damaged is left to PyTorch.

    Raises:
        HostileFileError: it does.
        OSError: it cannot be read.
    """
    try:
        if zipfile.is_zipfile(path):
            with open_zip(path) as archive:
                _check_unfolded(archive, path)
        for _ in saved_pickles(path):
            pass
    except (HostilePickleError, RefusedError) as error:
        raise HostileFileError(f"{shown(path)} is refused: it holds {error}, as no file of torch.save does") from error
    except (PickleError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return


def parts(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """The root folder, the name below it and the content of every part.

    Raises:
        RefusedError: two parts have one name, or they unfold to far more than the file's size.
        OSError, zipfile.BadZipFile: it cannot be read.
    """
    with open_zip(path) as archive:
        infos = archive.infolist()
        if len({info.filename for info in infos}) != len(infos):
            raise RefusedError("two parts of one name")
        _check_unfolded(archive, path)
        for info in infos:
            root, _, name = info.filename.partition("/")
            yield root, name, archive.read(info)


def _check_unfolded(archive: zipfile.ZipFile, path: Path) -> None:
    unfolded = sum(info.file_size for info in archive.infolist())
    if unfolded > GROWTH * path.stat().st_size + SPARE:
        raise RefusedError(f"parts that unfold to {unfolded:,} bytes")
