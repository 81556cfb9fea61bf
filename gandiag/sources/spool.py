"""A temporary file for what cannot be read twice or out of order, such as a compressed stream; it has no name."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable
from typing import BinaryIO

from gandiag.core.errors import InputError, shown
from gandiag.core.files import MERCY, MOST_RATIO

LIMIT = 20 * 2**30  # bytes that one source may keep on disk
BLOCK = 2**20


class Handle:
    """A file that is read at any place by any thread, and closed when nobody holds it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._close = weakref.finalize(self, os.close, descriptor)

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes; fewer at the end of the file."""
        found = os.pread(self.descriptor, size, offset)
        while len(found) < size:
            more = os.pread(self.descriptor, size - len(found), offset + len(found))
            if not more:
                break
            found += more
        return found

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return os.fstat(self.descriptor).st_size


def open_handle(path: str | os.PathLike[str]) -> Handle:
    """A handle of a file."""
    return Handle(os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)))


class Spool:
    """Pieces of bytes in a temporary file, in the order in which they came.

    Args:
        title: what they are of, for messages.
        limit: bytes of all of them.
    """

    def __init__(self, title: str, *, limit: int = LIMIT) -> None:
        with tempfile.TemporaryFile(prefix="gandiag-") as file:
            self.handle = Handle(os.dup(file.fileno()))
        self._title, self._limit = title, limit
        self._ends = [0]

    def append(self, content: bytes | memoryview) -> None:
        """Keep a piece.

        Raises:
            InputError: it goes beyond the limit, or the disk is full.
        """
        end = self._ends[-1] + len(content)
        if end > self._limit:
            message = f"{shown(self._title)} unpacks to more than {self._limit / 2**30:.3g} GiB"
            raise InputError(f"{message}; write its images to a folder or an uncompressed archive")
        rest, offset = memoryview(content), self._ends[-1]
        try:
            while rest:
                written = os.pwrite(self.handle.descriptor, rest, offset)
                rest, offset = rest[written:], offset + written
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"cannot keep {shown(self._title)} in a temporary file: {reason}") from error
        self._ends.append(end)

    def read(self, index: int) -> bytes:
        """A piece."""
        return self.handle.read(self._ends[index], self._ends[index + 1] - self._ends[index])

    @property
    def size(self) -> int:
        """Bytes of all pieces."""
        return self._ends[-1]

    def __len__(self) -> int:
        return len(self._ends) - 1


class Bounded:
    """A decompressed stream that stops where it is far larger than the file it comes from, as bombs are.

    Args:
        stream: decompressed.
        compressed: bytes of the file.
        title: of it, for messages.
        arrived: called when a block has come.
    """

    def __init__(self, stream: BinaryIO, compressed: int, title: str, arrived: Callable[[], None]) -> None:
        self._stream, self._title, self._arrived = stream, title, arrived
        self._most = max(compressed * MOST_RATIO, MERCY)
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most a block."""
        content = self._stream.read(min(size, BLOCK) if size >= 0 else BLOCK)
        self._read += len(content)
        self._arrived()
        if self._read > self._most:
            raise InputError(f"{shown(self._title)} is refused: it unpacks to over {MOST_RATIO} times its size")
        return content
