"""What is in a pickle, told without running it: a machine that builds values and never calls anything.

It follows the pickle's own small language (Python's `pickletools`). Where unpickling would import a name, it keeps the
name; where it would call, it keeps what would be called and with what.
"""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from gandiag.core.errors import InputError
from gandiag.core.zip_file import open_zip

LONGEST = 1_000_000  # steps of a pickle
LARGEST = 2**28  # bytes of a pickle in an archive, and of one value in any
LONGEST_LINE = 2**24  # bytes
LONGEST_NAME = 1024  # characters: PyTorch looks through a name that it refuses in the square of its length
LARGEST_FILE = 2**33  # bytes of a pickle that stands alone, with the weights in it
KEPT = 2**20  # bytes of a text that is kept
LONGEST_NUMBER = 4096  # bits
MOST = 1_000_000  # values that are looked at, those that are shared counted each time
OLD_FORMAT = 0x1950A86A20F9469CFC6C  # the number that files of torch.save began with before they were archives
DEEPEST = 24
STORAGE_TYPES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
NAMING = (b"c", b"i")  # operations that are followed by a name, on two lines
REBUILT = re.compile(r"torch\._utils\._rebuild_\w*tensor")
STRIDED = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_qtensor")


class PickleError(ValueError):
    """It is no pickle, or a damaged one."""


class HostilePickleError(PickleError):
    """It would take far more time or memory than its size allows; the message completes "it holds"."""


@dataclass(frozen=True)
class Global:
    """A name that unpickling would import."""

    name: str


@dataclass(eq=False)
class Made:
    """What unpickling would make: an object of a class, or the result of a call.

    Attributes:
        maker: what would be called, mostly a Global.
        arguments: with what.
        called: whether it would be called, rather than made as an empty object.
        state: what would then be set.
        items: what would then be put into it.
    """

    maker: Any
    arguments: Any = ()
    called: bool = True
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of its maker."""
        return self.maker.name if isinstance(self.maker, Global) else type(self.maker).__name__


@dataclass(frozen=True)
class TensorShape:
    """A tensor in a file: its sizes and the type of its numbers."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Extent:
    """How much of a storage a tensor takes, counted from the storage's beginning.

    Attributes:
        storage: its key, which is the name of its part of the archive.
        dtype: the type of its numbers.
        numbers: how many of them.
    """

    storage: str
    dtype: str
    numbers: int


@dataclass(frozen=True)
class Pickled:
    """A pickle's value, the names that it would import, and those of them that it would call.

    `framed` says that it stood in a file of torch.save, and not alone. `extents` has one entry for each tensor that is
    made, None for one that is not described as PyTorch does.
    """

    value: Any
    names: tuple[str, ...]
    called: frozenset[str]
    framed: bool = False
    extents: tuple[Extent | None, ...] = ()


def read_pickle(file: IO[bytes]) -> Pickled:
    """The next pickle of a file.

    Raises:
        PickleError: there is none, or it is damaged or too long.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(cast("IO[bytes]", _Measured(file)))):
            if count > LONGEST:
                raise HostilePickleError(f"a pickle of more than {LONGEST:,} steps")
            machine.step(opcode.name, argument)
        value = machine.stack.pop()
    except PickleError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, MemoryError) as error:
        raise PickleError(f"it is damaged ({type(error).__name__})") from error
    names = tuple(dict.fromkeys(machine.names))
    return Pickled(value, names, frozenset(machine.called), extents=tuple(machine.extents))


def saved_pickles(path: Path) -> Iterator[Pickled]:
    """The pickles of a file of torch.save, or a bare one, as they are told without running them.

    Raises:
        PickleError: one is damaged, or there is none.
    """
    if zipfile.is_zipfile(path):
        try:
            with open_zip(path) as archive:
                infos = [info for info in archive.infolist() if info.filename.rpartition("/")[2] == "data.pkl"]
                for info in infos:
                    if info.file_size > LARGEST:
                        raise HostilePickleError(f"a pickle that unfolds to {info.file_size:,} bytes")
                contents = [archive.read(info) for info in infos]
        except (InputError, PickleError):
            raise
        except Exception as error:  # a damaged archive may fail in any way
            raise PickleError(f"its archive is damaged ({type(error).__name__})") from error
        yield from (read_pickle(io.BytesIO(content)) for content in contents)
        return
    with path.open("rb") as opened:
        first = read_pickle(opened)
        yield first
        if first.value == OLD_FORMAT:  # the old format: magic number, version, machine, content, storages
            for _ in range(4):
                yield read_pickle(opened)


class _Measured:
    """A file for pickletools, which reads what a pickle says that there is: a line, or a value of any length."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left, self._operation = file, LARGEST_FILE, b""
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        """So many bytes, or fewer at the end."""
        if size > LARGEST:
            raise HostilePickleError(f"a value of {size:,} bytes")
        content = self._file.read(size)
        if size == 1:
            self._operation = content
        return self._counted(content)

    def readline(self) -> bytes:
        """A line."""
        longest = LONGEST_NAME if self._operation in NAMING else LONGEST_LINE
        line = self._file.readline(longest)
        if len(line) == longest:
            raise HostilePickleError("a line that does not end")
        return self._counted(line)

    def _counted(self, content: bytes) -> bytes:
        self._left -= len(content)
        if self._left < 0:
            raise HostilePickleError(f"a pickle of more than {LARGEST_FILE:,} bytes")
        return content


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.names: list[str] = []
        self.called: set[str] = set()
        self.extents: list[Extent | None] = []
        self._memo: dict[int, Any] = {}
        self._marks: list[int] = []  # places of the marks on the stack
        self._left = MOST

    def step(self, name: str, argument: Any) -> None:
        """One operation."""
        special = self._SPECIAL.get(name)
        if special is not None:
            special(self, argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            self.stack[len(self.stack) - count :] = [tuple(self.stack[len(self.stack) - count :])]
        elif name.endswith("PUT"):
            self._memo[int(argument)] = self.stack[-1]
        elif name.endswith("GET"):
            self.stack.append(self._memo[int(argument)])
        elif name not in ("PROTO", "FRAME", "STOP", "NEXT_BUFFER", "READONLY_BUFFER"):
            if isinstance(argument, int) and argument.bit_length() > LONGEST_NUMBER:
                raise HostilePickleError("a number of absurd length")
            long = isinstance(argument, str | bytes | bytearray) and len(argument) > KEPT
            self.stack.append(argument[:0] if long else argument)  # a number, a text or bytes

    def _name(self, argument: str) -> None:
        module, _, attribute = argument.partition(" ")
        self._push_name(module, attribute)

    def _push_name(self, module: object, attribute: object) -> None:
        if not (isinstance(module, str) and isinstance(attribute, str)):
            raise PickleError("it names what is no name")
        if len(module) + len(attribute) > LONGEST_NAME:
            raise HostilePickleError(f"a name of {len(module) + len(attribute):,} characters")
        found = Global(f"{module}.{attribute}")
        self.names.append(found.name)
        self.stack.append(found)

    def _stack_name(self, _: object) -> None:
        attribute, module = self.stack.pop(), self.stack.pop()
        self._push_name(module, attribute)

    def _extension(self, argument: object) -> None:
        self._push_name("copyreg extension", argument)

    def _bounded(self, value: Any) -> None:
        """Raise where a value holds itself so often that to look at it, hash it or print it takes for ever."""
        waiting = [value]
        while waiting:
            part = waiting.pop()
            self._left -= 1
            if self._left < 0:
                raise HostilePickleError("values that hold each other too often")
            if isinstance(part, tuple | list):
                waiting.extend(part[: self._left + 1])
            elif isinstance(part, dict):
                waiting.extend(part.values())

    def _make(self, maker: Any, arguments: Any, *, called: bool) -> None:
        self._bounded(maker)
        self._bounded(arguments)
        if called and isinstance(maker, Global):
            self.called.add(maker.name)
        elif called:
            self.called.add("the result of another call")
        made = Made(maker, arguments, called)
        if called and REBUILT.match(made.name):
            self.extents.append(_extent(made))
        self.stack.append(_plain(made))

    def _reduce(self, _: object) -> None:
        arguments, maker = self.stack.pop(), self.stack.pop()
        self._make(maker, arguments, called=True)

    def _new(self, _: object) -> None:
        arguments, maker = self.stack.pop(), self.stack.pop()
        self._make(maker, arguments, called=False)

    def _new_with_names(self, _: object) -> None:
        self.stack.pop()
        self._new(None)

    def _inst(self, argument: str) -> None:
        arguments = tuple(self._popped())
        self._name(argument)
        self._make(self.stack.pop(), arguments, called=True)

    def _obj(self, _: object) -> None:
        maker, *arguments = self._popped()
        self._make(maker, tuple(arguments), called=True)

    def _build(self, _: object) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Made):
            self.stack[-1].state = state

    def _persistent(self, _: object) -> None:
        self._bounded(self.stack[-1])
        match self.stack[-1]:
            case (str() | bytes() as kind, *_) if len(kind) > LONGEST_NAME:
                raise HostilePickleError(f"a name of {len(kind):,} characters")
        self.stack.append(Made(Global("persistent"), self.stack.pop(), called=False))

    def _named_persistent(self, argument: object) -> None:
        self.stack.append(Made(Global("persistent"), argument, called=False))

    def _popped(self) -> list[Any]:
        """All above the last mark."""
        last = self._marks.pop()
        found = self.stack[last:]
        del self.stack[last:]
        return found

    def _mark(self, _: object) -> None:
        self._marks.append(len(self.stack))

    def _pop(self, _: object) -> None:
        if self._marks and self._marks[-1] == len(self.stack):
            self._marks.pop()
        else:
            self.stack.pop()

    def _drop(self, _: object) -> None:
        self._bounded(self._popped())

    def _append(self, _: object) -> None:
        self._extend([self.stack.pop()])

    def _appends(self, _: object) -> None:
        self._extend(self._popped())

    def _extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Made):
            target.items.update({len(target.items) + index: value for index, value in enumerate(values)})

    def _set_item(self, _: object) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def _set_items(self, _: object) -> None:
        self._update(self._popped())

    def _update(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        items = target.items if isinstance(target, Made) else target
        if isinstance(items, dict):
            for key, value in zip(pairs[::2], pairs[1::2], strict=True):
                self._bounded(key)
                items[_key(key)] = value

    _SPECIAL: Mapping[str, Callable[[_Machine, Any], None]] = {
        "GLOBAL": _name,
        "STACK_GLOBAL": _stack_name,
        "EXT1": _extension,
        "EXT2": _extension,
        "EXT4": _extension,
        "REDUCE": _reduce,
        "NEWOBJ": _new,
        "NEWOBJ_EX": _new_with_names,
        "INST": _inst,
        "OBJ": _obj,
        "BUILD": _build,
        "BINPERSID": _persistent,
        "PERSID": _named_persistent,
        "APPEND": _append,
        "APPENDS": _appends,
        "ADDITEMS": _drop,
        "SETITEM": _set_item,
        "SETITEMS": _set_items,
        "MARK": _mark,
        "POP": _pop,
        "POP_MARK": _drop,
        "DUP": lambda self, _: self.stack.append(self.stack[-1]),
        "MEMOIZE": lambda self, _: self._memo.update({len(self._memo): self.stack[-1]}),
        "TUPLE": lambda self, _: self.stack.append(tuple(self._popped())),
        "LIST": lambda self, _: self.stack.append(list(self._popped())),
        "FROZENSET": lambda self, _: self.stack.append(list(self._popped())),
        "DICT": lambda self, _: self._dict(),
    }

    def _dict(self) -> None:
        pairs = self._popped()
        self.stack.append({})
        self._update(pairs)


_CONSTANTS: Mapping[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: Mapping[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": list}
_TUPLES: Mapping[str, int] = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _key(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | bytes | None) else repr(type(value))


def _plain(made: Made) -> Any:
    """Tensors by shape and type, and dictionaries as such."""
    arguments = made.arguments if isinstance(made.arguments, tuple) else ()
    match made.name:
        case "collections.OrderedDict" | "collections.defaultdict" | "builtins.dict":
            pairs = arguments[0] if arguments and isinstance(arguments[0], list) else []
            return {_key(pair[0]): pair[1] for pair in pairs if isinstance(pair, list | tuple) and len(pair) == 2}
        case "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" if len(arguments) >= 3:
            return _tensor(arguments[0], arguments[2]) or made
        case "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" if arguments:
            return arguments[0] if isinstance(arguments[0], TensorShape) else made
    return made


def _extent(made: Made) -> Extent | None:
    """What a tensor takes of its storage: `(storage, offset, sizes, strides, ...)`."""
    if made.name not in STRIDED or not isinstance(made.arguments, tuple):
        return None
    match made.arguments:
        case (
            Made(arguments=("storage", Global(name=kind), str(key), *_)),
            int(offset),
            tuple(sizes),
            tuple(steps),
            *_,
        ):
            whole = all(type(each) is int and each >= 0 for each in (offset, *sizes, *steps))
            if not whole or len(sizes) != len(steps):
                return None
            last = offset + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
            dtype = kind.rpartition(".")[2]
            return Extent(key, STORAGE_TYPES.get(dtype, dtype), 0 if 0 in sizes else last + 1)
    return None


def _tensor(storage: Any, shape: Any) -> TensorShape | None:
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        return None
    described = storage.arguments if isinstance(storage, Made) and isinstance(storage.arguments, tuple) else ()
    kind = described[1] if len(described) > 1 and isinstance(described[1], Global) else None
    dtype = "" if kind is None else kind.name.rpartition(".")[2]
    return TensorShape(shape, STORAGE_TYPES.get(dtype, dtype or "unknown"))


def tensors_of(value: Any, *, objects: bool = True) -> Iterator[tuple[tuple[str, ...], TensorShape]]:
    """Every tensor in a pickle's value, with the keys that lead to it; `objects` are looked into as well."""
    left = MOST

    def walk(part: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], TensorShape]]:
        nonlocal left
        left -= 1
        if left < 0 or len(path) > DEEPEST:
            return
        if isinstance(part, TensorShape):
            yield path, part
        elif isinstance(part, Made) and objects:
            yield from walk(part.items, path)
            if part.state is not None:
                yield from walk(part.state, path)
        elif isinstance(part, dict):
            for key, inner in part.items():
                yield from walk(inner, (*path, str(key)))
        elif isinstance(part, list | tuple):
            for index, inner in enumerate(part):
                yield from walk(inner, (*path, str(index)))

    yield from walk(value, ())
