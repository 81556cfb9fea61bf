"""Arrays of NumPy in one file: the only one, `arr_0` as in ADM's sample files, or the one of `FILE.npz:KEY`."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gandiag.core.errors import InputError, shown
from gandiag.core.files import check_ratio
from gandiag.core.protocols import Source
from gandiag.core.strict_json import parse_json
from gandiag.core.zip_file import open_zip
from gandiag.sources import labels_file
from gandiag.sources.arrays import Table, as_tensor, table_source
from gandiag.sources.choice import choose
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.numpy_file import MOST_HEADER, npy_array, npy_header, npy_table
from gandiag.sources.spool import BLOCK, Spool, open_handle

DAMAGE = (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error, NotImplementedError)
LOCAL = 30  # bytes before an entry's name
MOST_LABELS = 2**30  # bytes
MOST_SAID = 2**20  # bytes
LABELS = ("arr_1", "labels", "label", "y", "classes")


def _recognises(file: File) -> bool:
    names = file.members if file.suffix != ".npz" or file.head.startswith(b"PK") else ()
    return file.suffix == ".npz" or (bool(names) and all(name.endswith(".npy") for name in names))


def _open(file: File, options: SourceOptions) -> Source:
    title = shown(file.title)
    try:
        with open_zip(file.path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            key = choose(file, names, preferred=("arr_0", "images", "samples"), others=(*LABELS, labels_file.OWN))
            name = f"{file.title}:{key}" if len(names) > 1 else file.title
            table = _table(archive, f"{key}.npy" if f"{key}.npy" in archive.namelist() else key, file.path, name)
            drawn = labels_file.OWN in names and _drawn(archive, table, title)
            label = next((each for each in LABELS if each in names and each != key), None)
            classes = None if label is None else _classes(archive, label, table, title)
    except InputError:
        raise
    except DAMAGE as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"cannot read {title} as an array: {reason}") from error
    chosen = file.title if file.key is None else f"{file.title}:{file.key}"
    return table_source(table, chosen, path=file.origin, in_order=options.by_name or drawn, classes=classes)


def _table(archive: zipfile.ZipFile, member: str, path: Path, title: str) -> Table:
    entry = archive.getinfo(member)
    check_ratio(entry.file_size, entry.compress_size, title)
    spool = Spool(title)
    stored = entry.compress_type == zipfile.ZIP_STORED
    with archive.open(entry) as content:
        if not stored:
            # The header comes first, so that what is no array is refused before it is unpacked.
            header = content.read(MOST_HEADER)
            shape, kind, _, start = npy_header(header, title)
            if start + math.prod(shape) * kind.itemsize != entry.file_size:
                raise InputError(f"cannot read {shown(title)} as an array: its header does not fit its size")
            spool.append(header)
        while block := content.read(BLOCK):  # reading all of it checks the archive's checksum too
            if not stored:
                spool.append(block)
    if not stored:
        return npy_table(spool.handle, 0, title, watched=False)
    handle = open_handle(path)
    local = handle.read(entry.header_offset, LOCAL)
    offset = (
        entry.header_offset + LOCAL + int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
    )
    return npy_table(handle, offset, title)


def _drawn(archive: zipfile.ZipFile, table: Table, title: str) -> bool:
    """Whether `gandiag sample` wrote the file, so that the rows are in an order of chance already."""
    entry = archive.getinfo(f"{labels_file.OWN}.npy")
    check_ratio(entry.file_size, entry.compress_size, title)
    said = npy_array(archive.read(entry), title) if entry.file_size <= MOST_SAID else None
    if said is None or said.dtype != np.uint8 or not table.shape:
        return False
    try:
        return labels_file.says_drawn(parse_json(said.tobytes()), table.shape[0])
    except ValueError:
        return False


def _classes(archive: zipfile.ZipFile, name: str, table: Table, title: str) -> Tensor | None:
    """The classes beside the images, where there is one for each."""
    entry = archive.getinfo(f"{name}.npy")
    if entry.file_size > MOST_LABELS:
        return None
    check_ratio(entry.file_size, entry.compress_size, title)
    array = npy_array(archive.read(entry), f"{title}:{name}")
    if array.dtype.kind not in "iu" or array.shape not in (table.shape[:1], (*table.shape[:1], 1)):
        return None
    return as_tensor(array, title).to(torch.int64)


READER = Reader("an archive of arrays", _recognises, _open, keyed=True)
