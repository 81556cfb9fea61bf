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


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
