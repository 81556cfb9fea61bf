"""Named tensors in a safetensors file with a checksum, written and read a block at a time.

The file is plain safetensors, which other tools read too. Written here and not by the package, because rows that are
larger than memory have to go through in blocks, and because a file must tell by itself that a bit of it has changed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import torch
from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.core.strict_json import parse_json
from gandiag.statistics.rows import BLOCK_BYTES, BUDGET, Rows

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
# Keys of the metadata that are the file's own: what it is, its checksum, which of its tensors were Rows, and which of
# them were on an accelerator.
FORMAT, CHECKSUM, ROWS, ACCELERATED = "format", "gandiag.sha256", "gandiag.rows", "gandiag.accelerated"
UNKNOWN = "0" * 64  # stands for the checksum while it is computed, over the header too
MOST_HEADER = 2**26  # bytes; a header says little, and a damaged length must not fill the memory

Values = Tensor | Rows


@dataclass(frozen=True)
class TensorFile:
    """What such a file holds.

    Attributes:
        tensors: by name; those that were stored as Rows are Rows.
        metadata: what the writer said of them.
    """

    tensors: Mapping[str, Values]
    metadata: Mapping[str, str]


def tensor_bytes(tensors: Mapping[str, Values]) -> int:
    """How many bytes the values take in the file."""
    return sum(_size(values) for values in tensors.values())


def write_tensors(
    file: BinaryIO, tensors: Mapping[str, Values], *, file_format: str, metadata: Mapping[str, str]
) -> None:
    """Write a new file.

    Args:
        file: empty, open for reading and writing bytes.
        tensors: by name, in any layout and on any device.
        file_format: name of what this is, such as `gandiag.cache/1`; the reader asks for it.
        metadata: text to go with them.
    """
    # Wide types first, so that each starts at a multiple of its size.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    rows = sorted(name for name, values in tensors.items() if isinstance(values, Rows))
    accelerated = sorted(name for name, values in tensors.items() if values.device.type != "cpu")
    own = {FORMAT: file_format, CHECKSUM: UNKNOWN, ROWS: json.dumps(rows), ACCELERATED: json.dumps(accelerated)}
    header: dict[str, Any] = {"__metadata__": {**metadata, **own}}
    start = 0
    for name, values in ordered:
        stop = start + _size(values)
        header[name] = {"dtype": NAMES[values.dtype], "shape": list(values.shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256(text)
    file.write(len(text).to_bytes(8, "little") + text)
    for _, values in ordered:
        for block in _blocks(values):
            content = _content(block)
            digest.update(content)
            file.write(content)
    file.seek(8)
    file.write(_with_checksum(text, UNKNOWN, digest.hexdigest()))
    file.flush()


def read_metadata(file: BinaryIO) -> dict[str, str]:
    """The metadata alone, unchecked.

    Raises:
        InputError: this is no safetensors file.
    """
    return _metadata(_header(_header_text(file)))


def read_tensors(file: BinaryIO, *, file_format: str, device: str = "cpu", budget: int = BUDGET) -> TensorFile:
    """Read a file that `write_tensors` wrote, and check all of it.

    Args:
        file: open for reading bytes, at its start.
        file_format: what it must be.
        device: where to put the tensors that were on an accelerator; the others stay on the CPU.
        budget: bytes of one Rows that stay in memory.

    Raises:
        InputError: it is another format, cut short, or changed since it was written; the message completes "it is".
    """
    text = _header_text(file)
    header = _header(text)
    metadata = _metadata(header)
    if metadata.get(FORMAT) != file_format:
        raise InputError(f"not {file_format}")
    digest = hashlib.sha256(_with_checksum(text, metadata.get(CHECKSUM, ""), UNKNOWN))
    length = file.seek(0, 2) - 8 - len(text)
    try:
        entries = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
        rows, accelerated = set(parse_json(metadata[ROWS])), set(parse_json(metadata[ACCELERATED]))
        position = 0
        for _, entry in entries:
            size = math.prod(entry["shape"]) * DTYPES[entry["dtype"]].itemsize
            if min(entry["shape"], default=0) < 0 or entry["data_offsets"] != [position, position + size]:
                raise ValueError
            position += size
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError("damaged: its header makes no sense") from error
    # Before anything is read: a damaged shape must not ask for more memory than the file has bytes.
    if position != length:
        raise InputError(f"damaged: {length} bytes of values where {position} are announced")
    file.seek(8 + len(text))
    tensors: dict[str, Values] = {}
    for name, entry in entries:
        read = _read_blocks(file, DTYPES[entry["dtype"]], tuple(entry["shape"]), digest)
        blocks = (block.to(device) for block in read) if name in accelerated else read
        tensors[name] = _rows(blocks, budget) if name in rows else _joined(blocks, tuple(entry["shape"]))
    if digest.hexdigest() != metadata.get(CHECKSUM):
        raise InputError("damaged: its checksum does not fit its content")
    own = {FORMAT, CHECKSUM, ROWS, ACCELERATED}
    return TensorFile(tensors, {name: value for name, value in metadata.items() if name not in own})


def _header_text(file: BinaryIO) -> bytes:
    size = int.from_bytes(file.read(8), "little")
    text = file.read(size) if 2 <= size <= MOST_HEADER else b""
    if len(text) != size or not text.startswith(b"{"):
        raise InputError("no safetensors file, or one that was cut short")
    return text


def _header(text: bytes) -> dict[str, Any]:
    try:
        header = parse_json(text)
    except ValueError as error:
        raise InputError("damaged: its header is not JSON") from error
    return header if isinstance(header, dict) else {}


def _metadata(header: dict[str, Any]) -> dict[str, str]:
    """The metadata, taken out of the header."""
    found = header.pop("__metadata__", {})
    return {key: str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _with_checksum(text: bytes, old: str, new: str) -> bytes:
    return text.replace(f'"{CHECKSUM}":"{old}"'.encode(), f'"{CHECKSUM}":"{new}"'.encode(), 1)


def _size(values: Values) -> int:
    return math.prod(values.shape) * values.dtype.itemsize


def _blocks(values: Values) -> Iterator[Tensor]:
    if isinstance(values, Rows):
        yield from values.blocks()
        return
    step = max(1, BLOCK_BYTES // values.dtype.itemsize)
    yield from torch.split(values.detach().reshape(-1), step)


def _content(block: Tensor) -> memoryview:
    flat = block.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def _read_blocks(file: BinaryIO, dtype: torch.dtype, shape: tuple[int, ...], digest: Any) -> Iterator[Tensor]:
    """Whole rows of a (n, ...) array in order, at least one block, which may be empty."""
    row = shape[1:] if shape else ()
    count = shape[0] if shape else 1
    width = math.prod(row)
    step = max(1, BLOCK_BYTES // max(1, width * dtype.itemsize))
    for start in range(0, max(count, 1), step):
        rows = min(step, count - start)
        content = bytearray(rows * width * dtype.itemsize)
        if file.readinto(content) != len(content):  # type: ignore[attr-defined]
            raise InputError("damaged: it was cut short while it was read")
        digest.update(content)
        flat = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        yield flat.view(rows, *row)


def _joined(blocks: Iterator[Tensor], shape: tuple[int, ...]) -> Tensor:
    first = next(blocks)
    joined = first.new_empty(shape if shape else (1,))
    joined[: len(first)] = first
    start = len(first)
    for block in blocks:
        joined[start : start + len(block)] = block
        start += len(block)
    return joined.view(shape)


def _rows(blocks: Iterator[Tensor], budget: int) -> Rows:
    rows = Rows(budget)
    for block in blocks:
        rows.append(block)
    return rows
