"""The kinds of files and folders that can be scored: each is one module of `gandiag.sources.readers`.

A kind is told by what is in a file, not by its name. The kinds exclude each other, so their order does not matter.
"""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from gandiag.core.errors import InputError, shown
from gandiag.core.generator_options import GeneratorOptions
from gandiag.core.protocols import Precision, Source
from gandiag.core.registry import Registry

HEAD = 4096  # bytes of a file that most kinds are told by
ZIP = b"PK\x03\x04"
EMPTY_ZIP = b"PK\x05\x06"
MOST_PARTS = 10_000  # files that one pattern may name
BRACES = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")


@dataclass(frozen=True)
class SourceOptions:
    """How sources are opened.

    Files and rows are shuffled, by a fixed rule, so that every prefix is a fair sample; with `by_name` they keep their
    order. What `generator` says is for files that hold one, and `inputs` are the images that an image-to-image model
    takes in place of noise.
    """

    seed: int = 0
    device: str = "cpu"
    precision: Precision = "fp32"
    by_name: bool = field(default=False, kw_only=True)
    generator: GeneratorOptions = field(default_factory=GeneratorOptions, kw_only=True)
    inputs: Source | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class File:
    """A file or folder that a user named.

    Attributes:
        path: of the file; of several, the pattern that names them.
        key: which of the arrays in it, as in `FILE:KEY`.
        parts: the files of a pattern such as `shards-{000..012}.tar`; one file otherwise.
        title: what to call it.
    """

    path: Path
    key: str | None = None
    parts: tuple[Path, ...] = ()
    title: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", self.parts or (self.path,))
        object.__setattr__(self, "title", self.title or str(self.path))

    @cached_property
    def folder(self) -> bool:
        """Whether it is a folder."""
        return self.parts[0].is_dir()

    @property
    def origin(self) -> str | None:
        """The path as a Result names it; None for a stream."""
        return str(self.path) if self.title == str(self.path) else None

    @property
    def suffix(self) -> str:
        """Of the name, in lower case; what a name says is a hint at most."""
        return self.path.suffix.lower()

    @cached_property
    def head(self) -> bytes:
        """The first bytes; none for a folder.

        Raises:
            InputError: it cannot be read, or is neither a file nor a folder.
        """
        if self.folder:
            return b""
        try:
            if not self.parts[0].is_file():
                raise InputError(f"{shown(self.path)} is neither a file nor a folder; a stream is read by `-`")
            with self.parts[0].open("rb") as opened:
                return opened.read(HEAD)
        except OSError as error:
            raise InputError(f"cannot read {shown(self.path)}: {error.strerror or error}") from error

    @cached_property
    def members(self) -> tuple[str, ...]:
        """The names in a ZIP archive, which PyTorch's and NumPy's files are too; empty for what is none.

        Raises:
            InputError: it begins as an archive and is damaged.
        """
        if not self.head.startswith((ZIP, EMPTY_ZIP)):
            return ()
        try:
            with zipfile.ZipFile(self.parts[0]) as archive:
                return tuple(archive.namelist())
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
            reason = f"cannot read {shown(self.path)}: it is a damaged archive, or one that was cut short ({error})"
            raise InputError(reason) from error


@dataclass(frozen=True)
class Reader:
    """One kind.

    Attributes:
        kind: what one of them is called, for messages.
        recognises: whether a file is of this kind, without running anything in it.
        open: the source behind it.
        keyed: whether `FILE:KEY` may choose between what is in it.
        joined: whether several files, named by a pattern, are one source.
    """

    kind: str
    recognises: Callable[[File], bool]
    open: Callable[[File, SourceOptions], Source]
    keyed: bool = False
    joined: bool = False


FORMATS: Registry[Reader] = Registry(
    "format", "gandiag.formats", "READER", package="gandiag.sources.readers", separator="-"
)


def find_file(name: str) -> File | None:
    """The file, folder or files behind `PATH`, `PATH:KEY` or `PATH-{000..012}.tar`; None where there is none.

    Raises:
        InputError: a file of a pattern is missing.
    """
    if "\0" in name:
        raise InputError(f"{shown(name)} is no name of a file: it holds a zero byte")
    path = Path(name)
    if _exists(path):
        return File(path)
    if BRACES.search(name):
        return _pattern(name)
    before, colon, key = name.rpartition(":")
    if colon and key and before and _exists(Path(before)):
        return File(Path(before), key)
    return None


def open_file(file: File, options: SourceOptions) -> Source:
    """The source behind a file.

    Raises:
        InputError: it is of no known kind, or cannot be read as what it is.
    """
    reader = recognise(file)
    if file.key is not None and not reader.keyed:
        raise InputError(
            f"{shown(file.path)} is {reader.kind}, in which no {shown(file.key)} can be chosen by FILE:KEY"
        )
    if len(file.parts) > 1 and not reader.joined:
        raise InputError(
            f"{shown(file.path)} names {len(file.parts)} files, of which the first is {reader.kind}; name one"
        )
    try:
        return reader.open(file, options)
    except OSError as error:
        raise InputError(f"cannot read {shown(error.filename or file.title)}: {error.strerror or error}") from error


def recognise(file: File) -> Reader:
    """The kind of a file.

    Raises:
        InputError: it is of none, or empty.
    """
    if not file.folder and not file.head:
        raise InputError(f"{shown(file.path)} is empty; the run that should have written it did not finish")
    for name in FORMATS.names():
        reader = FORMATS.load(name)
        if reader.recognises(file):
            return reader
    message = f"{shown(file.path)} is no file of PyTorch's torch.save, and of no other kind that can be scored"
    raise InputError(f"{message}; give a checkpoint, images in a folder or archive, or an array file")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, or a folder that may not be looked into
        return False


def _pattern(name: str) -> File | None:
    match = BRACES.search(name)
    if match is None:
        return None
    numbers = [max(0, int(last) - int(first) + 1) for first, last in BRACES.findall(name)]
    if math.prod(numbers) > MOST_PARTS:
        raise InputError(f"{shown(name)} names more than {MOST_PARTS:,} files")
    paths = [Path(path) for path in _expanded(name)]
    if not paths:
        raise InputError(f"{shown(name)} names no file: {match[0]} counts down")
    missing = next((path for path in paths if not _exists(path)), None)
    if missing is None:
        return File(Path(name), parts=tuple(paths))
    raise InputError(f"there is no file {shown(missing)}, one of the {len(paths)} that {shown(name)} names")


def _expanded(name: str) -> Iterator[str]:
    match = BRACES.search(name)
    if match is None:
        yield name
        return
    first, last = match[1], match[2]
    for number in range(int(first), int(last) + 1):
        for rest in _expanded(name[match.end() :]):
            yield f"{name[: match.start()]}{number:0{len(first)}d}{rest}"
