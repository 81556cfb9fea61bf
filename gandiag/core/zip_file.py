"""Zip archives that a stranger may have written: PyTorch's files, NumPy's `.npz`, and others."""

from __future__ import annotations

import os
import zipfile
from itertools import pairwise

from gandiag.core.errors import InputError, shown

KNOWN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def open_zip(path: str | os.PathLike[str]) -> zipfile.ZipFile:
    """An archive of which a part is unpacked to the size that it says, and no further.

    Python unpacks a block of bzip2 whole, whatever is asked for, and one of 900 bytes may hold a gigabyte.

    Raises:
        InputError: a part is compressed otherwise than by deflate, or lies on another one.
        zipfile.BadZipFile: it is no archive, or a damaged one.
        OSError: it cannot be read.
    """
    archive = zipfile.ZipFile(path)
    odd = next((entry for entry in archive.infolist() if entry.compress_type not in KNOWN), None)
    if odd is not None:
        archive.close()
        raise InputError(f"{shown(path)} is compressed by method {odd.compress_type}; use a zip of deflate or store")
    try:
        check_apart(archive, str(path))
    except InputError:
        archive.close()
        raise
    return archive


def check_apart(archive: zipfile.ZipFile, title: str) -> None:
    """See that no part of an archive lies on another one, which makes much of a small file; Python looks since 3.12.

    Raises:
        InputError: one does.
    """
    entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    if any(one.header_offset + one.compress_size >= after.header_offset for one, after in pairwise(entries)):
        raise InputError(f"{shown(title)} is refused: parts of it lie on the same bytes, as those of no honest zip do")
