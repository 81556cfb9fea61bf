"""Images or points in a safetensors file: the only tensor, `images`, or the one of `FILE.safetensors:KEY`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gandiag.core.errors import InputError, shown
from gandiag.core.protocols import Source
from gandiag.core.strict_json import parse_json
from gandiag.sources.arrays import Table, TensorTable, table_source
from gandiag.sources.choice import choose
from gandiag.sources.file_table import file_table
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.sample_names import IMAGE_KEYS, LABEL_KEYS
from gandiag.sources.spool import Handle, open_handle

MOST_HEADER = 2**26
TYPES = {
    "U8": "|u1",
    "BOOL": "|b1",
    "I8": "|i1",
    "I16": "<i2",
    "I32": "<i4",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}


def _header(handle: Handle) -> tuple[dict[str, Any], int]:
    """What is said of the tensors, and where they begin; empty for what is no such file."""
    size = int.from_bytes(handle.read(0, 8), "little")
    if not 2 <= size <= MOST_HEADER:
        return {}, 0
    try:
        said = parse_json(handle.read(8, size))
    except ValueError:
        return {}, 0
    return (said, 8 + size) if isinstance(said, dict) else ({}, 0)


def _recognises(file: File) -> bool:
    if file.head[8:9] != b"{":
        return False
    said, _ = _header(open_handle(file.path))
    said.pop("__metadata__", None)
    if not said or not all(isinstance(entry, dict) and isinstance(entry.get("shape"), list) for entry in said.values()):
        return False
    if file.key is not None:
        return True
    names = set(said)
    alone = len(names) == 1 and len(next(iter(said.values()))["shape"]) in (2, 3, 4)
    return alone or (names <= {*IMAGE_KEYS, *LABEL_KEYS} and bool(names & set(IMAGE_KEYS)))


def _open(file: File, options: SourceOptions) -> Source:
    handle = open_handle(file.path)
    said, start = _header(handle)
    said.pop("__metadata__", None)
    key = choose(file, list(said), preferred=IMAGE_KEYS, others=LABEL_KEYS)
    label = next((name for name in LABEL_KEYS if name in said and name != key), None)
    classes = None if label is None else _labels(_table(handle, said[label], start, f"{file.title}:{label}"))
    table = _table(handle, said[key], start, file.title)
    if start + max(map(_end, said.values())) != handle.size:
        raise InputError(f"{shown(file.title)} is damaged or cut short: its tensors do not fill it; copy it again")
    return table_source(table, file.title, path=file.origin, in_order=options.by_name, classes=classes)


def _end(entry: Any) -> int:
    """Where a tensor ends; 0 for one that does not say it, which is told when it is read."""
    offsets: Any = entry.get("data_offsets") if isinstance(entry, dict) else None
    fits = isinstance(offsets, list) and len(offsets) == 2 and type(offsets[1]) is int
    return int(offsets[1]) if fits else 0


def _table(handle: Handle, entry: dict[str, Any], start: int, title: str) -> Table:
    try:
        shape, (begin, end), kind = tuple(entry["shape"]), entry["data_offsets"], entry["dtype"]
        whole = all(type(size) is int and size >= 0 for size in (*shape, begin, end))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{shown(title)} is damaged: its header does not say what it holds") from error
    if kind == "BF16" and whole:
        content = bytearray(handle.read(start + begin, end - begin))
        if len(content) != 2 * math.prod(shape) or not content:
            raise InputError(f"{shown(title)} is damaged or cut short; copy it again")
        return TensorTable(torch.frombuffer(content, dtype=torch.bfloat16).view(shape).float())
    if kind not in TYPES:
        raise InputError(f"{shown(title)} holds {shown(kind)}, expected numbers of one of {', '.join(TYPES)}")
    dtype = np.dtype(TYPES[kind])
    if not whole or end - begin != math.prod(shape) * dtype.itemsize:
        raise InputError(f"{shown(title)} is damaged: its header does not fit its content")
    return file_table(handle, start + begin, shape, dtype, title, watched=True)


def _labels(table: Table) -> Tensor:
    return table.take(np.arange(table.shape[0], dtype=np.int64)) if table.shape else torch.tensor(0)


READER = Reader("a safetensors file of samples", _recognises, _open, keyed=True)
