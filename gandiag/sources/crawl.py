"""A file of images that is not crawled through: Pillow looks for the next frame of a GIF byte by byte."""

from __future__ import annotations

import os
from typing import IO, cast

from gandiag.core.errors import HostileFileError

# Reads of a few bytes each: pages of a TIFF take thirty, a block of 256 bytes of a GIF takes two.
FEW = 500_000
BYTES_A_READ = 100
MOST = 8_000_000


def uncrawled(file: IO[bytes]) -> IO[bytes]:
    """The file, open for reading, for Pillow; `read` raises HostileFileError after far more reads than it has parts."""
    return cast(IO[bytes], _Uncrawled(file))


class _Uncrawled:
    def __init__(self, file: IO[bytes]) -> None:
        self._file, place = file, file.tell()
        self._left = min(FEW + file.seek(0, os.SEEK_END) // BYTES_A_READ, MOST)
        file.seek(place)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes."""
        self._left -= 1
        if self._left < 0:
            raise HostileFileError("it is cut into parts of a few bytes each, which take too long to read")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place."""
        return self._file.tell()
