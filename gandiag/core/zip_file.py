"""Zip archives that a stranger may have written: PyTorch's files, NumPy's `.npz`, and others."""

from __future__ import annotations

import os
import zipfile

from gandiag.core.errors import InputError, shown

KNOWN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def open_zip(path: str | os.PathLike[str]) -> zipfile.ZipFile:
    """An archive of which a part is unpacked to the size that it says, and no further.

    Python unpacks a block of bzip2 whole, whatever is asked for, and one of 900 bytes may hold a gigabyte.

    Raises:
        InputError: a part is compressed otherwise than by deflate.
        zipfile.BadZipFile: it is no archive, or a damaged one.
        OSError: it cannot be read.
    """
    archive = zipfile.ZipFile(path)
    odd = next((entry for entry in archive.infolist() if entry.compress_type not in KNOWN), None)
    if odd is not None:
        archive.close()
        raise InputError(f"{shown(path)} is compressed by method {odd.compress_type}; use a zip of deflate or store")
    return archive
