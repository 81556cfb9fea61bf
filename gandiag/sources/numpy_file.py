"""Arrays in NumPy's own format, read without unpickling and, where they can be, without loading them."""

from __future__ import annotations

import ast
import io
import math
import struct
from typing import Any

import numpy as np

from gandiag.core.errors import InputError, shown
from gandiag.sources.arrays import Table, TensorTable, as_tensor
from gandiag.sources.file_table import file_table
from gandiag.sources.spool import Handle

MAGIC = b"\x93NUMPY"
MOST_HEADER = 2**16
DAMAGE = (
    ArithmeticError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)


def npy_table(handle: Handle, offset: int, title: str, *, watched: bool = True) -> Table:
    """The array at a place of a file.

    Raises:
        InputError: it is damaged, or holds Python objects or no numbers.
    """
    shape, kind, fortran, start = npy_header(handle.read(offset, MOST_HEADER), title)
    table = file_table(handle, offset + start, shape, kind, title, watched=watched)
    if not fortran or len(shape) < 2:
        return table
    whole = np.frombuffer(bytearray(handle.read(offset + start, math.prod(shape) * kind.itemsize)), dtype=kind)
    return TensorTable(as_tensor(whole.reshape(shape, order="F"), shown(title)))


def npy_header(content: bytes, title: str) -> tuple[tuple[int, ...], np.dtype[Any], bool, int]:
    """Shape, type, whether columns come first, and where the numbers begin.

    Raises:
        InputError: it is no header, or says that what follows are Python objects.
    """
    try:
        if content[:6] != MAGIC:
            raise ValueError("it does not begin as an array of NumPy")
        wide = content[6] >= 2
        (size,) = struct.unpack_from("<I" if wide else "<H", content, 8)
        start = 8 + (4 if wide else 2)
        if start + size > len(content):
            raise ValueError("its header is cut short")
        said = ast.literal_eval(content[start : start + size].decode("latin1" if content[6] < 3 else "utf8"))
        shape, kind = said["shape"], np.lib.format.descr_to_dtype(said["descr"])
        if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError("its shape is none")
    except (
        ArithmeticError,
        LookupError,
        MemoryError,
        RecursionError,
        SyntaxError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"cannot read {shown(title)} as an array: {reason}") from error
    if kind.hasobject:
        message = f"cannot read {shown(title)} as an array: it holds Python objects, which gandiag never unpickles"
        raise InputError(f"{message}; save plain numbers")
    return shape, kind, bool(said.get("fortran_order")), start + size


def npy_array(content: bytes, title: str) -> np.ndarray[Any, np.dtype[Any]]:
    """A small array, of which all bytes are there.

    Raises:
        InputError: as in `npy_header`.
    """
    npy_header(content[:MOST_HEADER], title)
    try:
        array: np.ndarray[Any, np.dtype[Any]] = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"cannot read {shown(title)} as an array: {error}".partition("\n")[0]) from error
    return array
