"""What an ONNX file takes, gives and holds, read from its protocol buffer without onnx or onnxruntime.

The numbers of the fields are those of `onnx.proto`, which never change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gandiag.core.errors import InputError, shown
from gandiag.core.files import read_bounded

TYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "string",
    9: "bool",
    10: "float16",
    11: "float64",
    16: "bfloat16",
}
WHOLE = {"int32", "int64", "int16", "int8", "uint8"}
LARGEST = 2**30  # bytes of a file; a larger model has its weights beside it
MOST = 200_000  # fields of one message
MOST_DIMENSIONS = 64
DEEPEST = 8  # graphs inside of graphs
# Operations that run or load something beside the graph.
FOREIGN = {"PythonOp", "PythonOpGrad", "ATen", "ATenOp", "EPContext", "TritonOp"}
DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "pkg.onnxscript.torch_lib"}


@dataclass(frozen=True)
class Value:
    """An input, an output or a weight: sizes, None for one that may vary, and the type of its numbers."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class Graph:
    """What an ONNX model is.

    Attributes:
        inputs: those that must be fed.
        outputs: what it gives.
        weights: its stored tensors.
        files: names of the files beside it that hold weights.
        operations: their kinds, with the domain where it is not ONNX's own.
        producer: what wrote it.
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    weights: tuple[Value, ...]
    files: tuple[str, ...]
    operations: frozenset[str]
    producer: str


Field = tuple[int, int, memoryview | int]


def looks_like_onnx(head: bytes) -> bool:
    """Whether a file begins as an ONNX model does: with the version of its format, and its producer or graph."""
    if len(head) < 4 or head[0] != 0x08 or not 0 < head[1] < 32:
        return False
    return head[2] in (0x12, 0x1A, 0x22, 0x2A, 0x32, 0x3A, 0x42, 0x72)


def read_graph(path: Path) -> Graph:
    """The graph of an ONNX file.

    Raises:
        InputError: it is damaged.
    """
    try:
        # Not mapped: a file that is cut short while it is read would kill the process.
        return _model(memoryview(read_bounded(path, LARGEST)))
    except (ValueError, IndexError, OSError, OverflowError, RecursionError) as error:
        raise InputError(f"cannot read the ONNX file {shown(path)}: it is damaged, or no ONNX model") from error


def check_plain(graph: Graph, path: Path) -> None:
    """See that a model is arithmetic, and that its weights lie beside it.

    Raises:
        InputError: it would run or load something else.
    """
    for operation in sorted(graph.operations):
        domain, _, kind = operation.rpartition(":")
        if kind in FOREIGN or domain not in DOMAINS:
            message = f"the ONNX file {shown(path)} holds the operation {shown(operation)}, which is not ONNX's own"
            raise InputError(f"{message}; export it from standard operations")
    for name in graph.files:
        target = (path.parent / name).resolve()
        if Path(name).is_absolute() or not target.is_relative_to(path.parent.resolve()):
            message = f"the ONNX file {shown(path)} takes weights from {shown(name)}"
            raise InputError(f"{message}, which is not beside it; such a file is refused")
        if not target.is_file():
            raise InputError(f"the ONNX file {shown(path)} needs {shown(name)}, which is not beside it; copy both")


def _model(whole: memoryview) -> Graph:
    graph, producer, local = None, "", set()
    for number, _, content in _fields(whole):
        if number == 7 and isinstance(content, memoryview):
            graph = content
        elif number == 2:
            producer = _text(content)
        elif number == 25 and isinstance(content, memoryview):  # a function of the model's own, of plain operations
            names = {each: _text(value) for each, _, value in _fields(content) if each in (1, 10)}
            local.add(f"{names.get(10, '')}:{names.get(1, '')}".lstrip(":"))
    if graph is None:
        raise ValueError("no graph")
    operations: set[str] = set()
    files: set[str] = set()
    inputs, outputs, weights = [], [], []
    for number, _, content in _fields(graph):
        if not isinstance(content, memoryview):
            continue
        if number == 5:
            weights.append(_weight(content, files))
        elif number == 11:
            inputs.append(_value(content))
        elif number == 12:
            outputs.append(_value(content))
    _nodes(graph, operations, files, 0)
    for number, _, content in _fields(whole):
        if number == 25 and isinstance(content, memoryview):
            for each, _, node in _fields(content):
                if each == 7 and isinstance(node, memoryview):
                    _node(node, operations, files, 0)
    stored = {weight.name for weight in weights}
    fed = tuple(value for value in inputs if value.name not in stored)
    return Graph(fed, tuple(outputs), tuple(weights), tuple(sorted(files)), frozenset(operations - local), producer)


def _nodes(graph: memoryview, operations: set[str], files: set[str], depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError("too deep")
    for number, _, content in _fields(graph):
        if not isinstance(content, memoryview):
            continue
        if number == 1:
            _node(content, operations, files, depth)
        elif number == 5 and depth:
            _weight(content, files)


def _node(node: memoryview, operations: set[str], files: set[str], depth: int) -> None:
    kind, domain = "", ""
    for number, _, content in _fields(node):
        if number == 4:
            kind = _text(content)
        elif number == 7:
            domain = _text(content)
        elif number == 5 and isinstance(content, memoryview):
            for each, _, value in _fields(content):
                if each in (6, 11) and isinstance(value, memoryview):
                    _nodes(value, operations, files, depth + 1)
                elif each in (5, 10) and isinstance(value, memoryview):
                    _weight(value, files)
    operations.add(f"{domain}:{kind}" if domain else kind)


def _weight(tensor: memoryview, files: set[str]) -> Value:
    name, dtype, shape = "", "unknown", []
    for number, kind, content in _fields(tensor):
        if number == 1 and kind == 0 and isinstance(content, int):
            shape.append(content)
        elif number == 1 and isinstance(content, memoryview):
            shape += list(_packed(content))
        elif number == 2 and isinstance(content, int):
            dtype = TYPES.get(content, "unknown")
        elif number == 8:
            name = _text(content)
        elif number == 13 and isinstance(content, memoryview):
            entry = {each: _text(value) for each, _, value in _fields(content)}
            if entry.get(1) == "location":
                files.add(entry.get(2, ""))
    return Value(name, tuple(shape), dtype)


def _value(info: memoryview) -> Value:
    name, dtype, shape = "", "unknown", []
    for number, _, content in _fields(info):
        if number == 1:
            name = _text(content)
        elif number == 2 and isinstance(content, memoryview):
            for _, _, tensor in ((a, b, c) for a, b, c in _fields(content) if a == 1 and isinstance(c, memoryview)):
                for each, _, value in _fields(tensor):
                    if each == 1 and isinstance(value, int):
                        dtype = TYPES.get(value, "unknown")
                    elif each == 2 and isinstance(value, memoryview):
                        shape = [_dimension(size) for number, _, size in _fields(value) if number == 1]
    return Value(name, tuple(shape), dtype)


def _dimension(content: memoryview | int) -> int | None:
    if isinstance(content, int):
        raise ValueError("no dimension")
    for number, _, value in _fields(content):
        if number == 1 and isinstance(value, int):
            return value if 0 < value < 2**31 else None
    return None


def _fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message: number, wire type, and a whole number or the bytes."""
    place, count = 0, 0
    while place < len(message):
        count += 1
        if count > MOST:
            raise ValueError("too many fields")
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, place = _varint(message, place)
            yield number, kind, value
            continue
        size = {1: 8, 5: 4}.get(kind, 0)
        if kind == 2:
            size, place = _varint(message, place)
        elif not size:
            raise ValueError("unknown kind of field")
        if place + size > len(message):
            raise ValueError("cut short")
        yield number, kind, message[place : place + size]
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("number too long")


def _packed(content: memoryview) -> Iterator[int]:
    if len(content) > 10 * MOST_DIMENSIONS:
        raise ValueError("too many dimensions")
    place = 0
    while place < len(content):
        value, place = _varint(content, place)
        yield value


def _text(content: memoryview | int) -> str:
    return "" if isinstance(content, int) else bytes(content[:4096]).decode("utf-8", "replace")
