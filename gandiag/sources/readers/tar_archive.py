"""A tar archive of image files, read in place; WebDataset shards with their classes; compressed ones too."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from gandiag.core.errors import InputError, shown
from gandiag.core.protocols import Source
from gandiag.sources.archive import Part, archive_source, check_name
from gandiag.sources.encoded import checked_size, is_image
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.labels_file import LabelsFile
from gandiag.sources.spool import BLOCK, Bounded, Handle, Spool, open_handle

MAGIC = slice(257, 262)  # `ustar`, in a header of 512 bytes
GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"
DAMAGE = (tarfile.TarError, EOFError, OSError, OverflowError, UnicodeError, ValueError, zlib.error, lzma.LZMAError)
CLASS = ".cls"  # what WebDataset calls the file of a sample's class
MOST_CLASS = 32  # bytes of it
MOST_IDLE = 4 * BLOCK  # packed bytes that need not hold a block


@dataclass(frozen=True)
class TarPart:
    """The images of one archive: where each begins, and how long it is."""

    title: str
    handle: Handle
    names: Sequence[str]
    spans: Sequence[tuple[int, int]]
    labels: LabelsFile | None

    def read(self, index: int) -> bytes:
        offset, size = self.spans[index]
        content = self.handle.read(offset, size)
        if len(content) != size:
            raise InputError(f"{shown(f'{self.title}:{self.names[index]}')} is cut short; copy the archive again")
        return content


def tar_part(path: Path, title: str) -> Part:
    """The images of one archive, by name; a compressed one goes through a temporary file.

    Raises:
        InputError: it is damaged, or holds what no archive of images does.
    """
    handle = open_handle(path)
    head = handle.read(0, 512)
    if not head.startswith((GZIP, BZIP2, XZ)):
        with path.open("rb") as file, tarfile.open(fileobj=cast(BinaryIO, _Headers(file)), mode="r:") as archive:
            return _part(title, handle, list(_members(archive, title, handle)))
    spool = Spool(title)
    with path.open("rb") as file, _unpacking(packed := _Packed(file, title), head) as stream:
        bounded = cast(BinaryIO, Bounded(cast(BinaryIO, stream), handle.size, title, packed.arrived))
        with _opened(bounded, title) as archive:
            return _part(title, spool.handle, list(_spooled(archive, title, spool)))


def _opened(stream: BinaryIO, title: str) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=stream, mode="r|")
    except tarfile.ReadError as error:
        message = f"{shown(title)} is compressed and begins with no tar archive; unpack it, and name what was in it"
        raise InputError(message) from error


@dataclass(frozen=True)
class _Member:
    name: str
    offset: int
    size: int
    text: bytes = b""  # of a class


def _part(title: str, handle: Handle, found: Sequence[_Member]) -> TarPart:
    images = sorted((member for member in found if is_image(member.name)), key=lambda member: member.name)
    numbers = {_key(member.name): member for member in found if member.name.endswith(CLASS)}
    classes = None
    if images and all(_key(member.name) in numbers for member in images):
        classes = [_class(numbers[_key(member.name)], title) for member in images]
    names, spans = [member.name for member in images], [(member.offset, member.size) for member in images]
    return TarPart(title, handle, names, spans, None if classes is None else LabelsFile(classes))


def _members(archive: tarfile.TarFile, title: str, handle: Handle) -> Iterator[_Member]:
    """The files of an archive that is read in place."""
    for member in _checked(archive, title):
        if member.offset_data + member.size > handle.size:
            raise InputError(f"{shown(title)} is cut short in {shown(member.name)}; copy the archive again")
        text = handle.read(member.offset_data, MOST_CLASS) if member.name.endswith(CLASS) else b""
        yield _Member(member.name, member.offset_data, member.size, text[: member.size])


def _spooled(archive: tarfile.TarFile, title: str, spool: Spool) -> Iterator[_Member]:
    """The files of a stream, which are kept as they pass."""
    end = 0
    for member in _checked(archive, title):
        if not is_image(member.name) and not member.name.endswith(CLASS):
            continue
        try:
            content = cast(BinaryIO, archive.extractfile(member)).read()
        except DAMAGE as error:
            raise _damaged(title, error) from error
        if member.name.endswith(CLASS):
            yield _Member(member.name, 0, 0, content[:MOST_CLASS])
            continue
        spool.append(content)
        yield _Member(member.name, end, len(content))
        end += len(content)


def _checked(archive: tarfile.TarFile, title: str) -> Iterator[tarfile.TarInfo]:
    """The regular files; InputError for links, devices and names that lead elsewhere."""
    seen: set[str] = set()
    while True:
        try:
            member = archive.next()
        except DAMAGE as error:
            raise _damaged(title, error) from error
        if member is None:
            return
        name = member.name.removeprefix("./")
        if member.isdir():
            continue
        check_name(name, title, seen)
        if not member.isreg() or member.issparse():
            kind = "a link" if member.issym() or member.islnk() else "no regular file"
            raise InputError(f"{shown(title)} is refused: {shown(name)} in it is {kind}")
        member.name = name
        if is_image(name) or name.endswith(CLASS):
            checked_size(member.size, f"{title}:{name}")
        yield member


class _Headers:
    """A file of which only headers are read: a header that says it is long is none."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= BLOCK:
            raise tarfile.ReadError("a header of an absurd size")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class _Packed:
    """A compressed file that does not go on and on without holding anything, as a million empty streams in it do."""

    def __init__(self, file: BinaryIO, title: str) -> None:
        self._file, self._title, self._idle = file, title, 0

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(min(size, BLOCK) if size >= 0 else BLOCK)
        self._idle += len(content)
        if self._idle > MOST_IDLE:
            raise InputError(f"{shown(self._title)} is refused: it goes on without holding anything")
        return content

    def arrived(self) -> None:
        """It held something."""
        self._idle = 0

    def seekable(self) -> bool:
        return False


def _unpacking(file: _Packed, head: bytes) -> Any:
    packed = cast(BinaryIO, file)
    if head.startswith(GZIP):
        return gzip.open(packed)
    return bz2.open(packed) if head.startswith(BZIP2) else lzma.open(packed)


def _damaged(title: str, error: Exception) -> InputError:
    if isinstance(error, InputError):
        return error
    return InputError(f"{shown(title)} is damaged or cut short ({type(error).__name__}); copy the archive again")


def _key(name: str) -> str:
    """What the files of one sample share: all up to the first point of the last name."""
    path = PurePosixPath(name)
    return str(path.parent / path.name.partition(".")[0])


def _class(member: _Member, title: str) -> int:
    try:
        return int(member.text)
    except ValueError as error:
        raise InputError(f"{shown(f'{title}:{member.name}')} holds no whole number, the class of a sample") from error


def _recognises(file: File) -> bool:
    # The oldest archives have no mark.
    return file.head[MAGIC] == b"ustar" or file.head.startswith((GZIP, BZIP2, XZ)) or file.suffix == ".tar"


def _open(file: File, options: SourceOptions) -> Source:
    titles = [file.title] if len(file.parts) == 1 else [str(path) for path in file.parts]
    try:
        parts = [tar_part(path, title) for path, title in zip(file.parts, titles, strict=True)]
    except DAMAGE as error:
        raise _damaged(file.title, error) from error
    return archive_source(file, parts, options)


READER = Reader("a tar archive", _recognises, _open, joined=True)
