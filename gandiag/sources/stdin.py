"""Samples that come through standard input, kept in a temporary file until they are read."""

from __future__ import annotations

import os
import sys
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

from gandiag.core.errors import InputError, UsageError
from gandiag.core.protocols import Source
from gandiag.sources.formats import File, SourceOptions, open_file

STDIN = "-"
LIMIT = 20 * 2**30  # bytes of a stream
BLOCK = 2**20
TAR = slice(257, 262)
STARTS = (
    *(b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY", b"\x89HDF", b"PAR1", b"\x80", b"\x1a\x45\xdf\xa3", b"RIFF"),
    *(b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"GIF8", b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*"),
    b"\x08",  # ONNX
)


def stdin_source(options: SourceOptions, *, limit: int = LIMIT) -> Source:
    """The source behind a tar, zip, npy or npz file that standard input brings.

    Raises:
        UsageError: standard input is a terminal.
        InputError: it brings nothing, more than `limit` bytes, or no samples.
    """
    stream = sys.stdin.buffer
    if stream.isatty():
        raise UsageError(
            "the samples - are read from standard input, which is a terminal; pipe a tar or npz file into it"
        )
    handle, name = tempfile.mkstemp(prefix="gandiag-stdin-")
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as spool:
            size = 0
            while block := stream.read(BLOCK):
                if not size and not _begins_as_file(block):
                    message = "standard input brings no file that can be scored"
                    raise InputError(f"{message}; pipe a tar, zip, npy or npz file into it")
                size += len(block)
                if size > limit:
                    message = f"standard input brings more than {limit / 2**30:.3g} GiB"
                    raise InputError(f"{message}; write it to a file and score the file")
                spool.write(block)
        if not size:
            raise InputError("standard input brings nothing; it can be read once, and by one of the samples")
        source = open_file(File(path, title="standard input"), options)
        weakref.finalize(source, _remove, path)
    except BaseException as error:
        _remove(path)
        if isinstance(error, OSError):
            raise InputError(f"cannot keep standard input in {name}: {error.strerror or error}") from error
        raise
    return source


def _begins_as_file(head: bytes) -> bool:
    """Whether a stream may be a file of a known kind; one that never ends is not waited for otherwise."""
    return head.startswith(STARTS) or head[TAR] == b"ustar" or head[4:8] == b"ftyp" or head[8:9] == b"{"


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
