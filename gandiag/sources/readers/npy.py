"""An array of NumPy: images or points, read a row at a time."""

from __future__ import annotations

from gandiag.core.protocols import Source
from gandiag.sources.arrays import table_source
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.numpy_file import MAGIC, npy_table
from gandiag.sources.spool import open_handle


def _recognises(file: File) -> bool:
    return file.head.startswith(MAGIC) or file.suffix == ".npy"


def _open(file: File, options: SourceOptions) -> Source:
    table = npy_table(open_handle(file.path), 0, file.title)
    return table_source(table, file.title, path=file.origin, in_order=options.by_name)


READER = Reader("an array file", _recognises, _open)
