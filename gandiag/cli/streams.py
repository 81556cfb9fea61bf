"""What is printed to a pipe that its reader has closed, as `head` does, is dropped; the command goes on to its end."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from gandiag.core.errors import InputError


class Unread(io.FileIO):
    """A pipe or file that drops what nobody reads any more.

    The exit code then stays the command's own, and the files that it was asked for are written. Any other failure of
    stdout is an error, since its data is lost; one of stderr is not, since there is nobody left to tell.
    """

    def write(self, data: Any, /) -> int:
        """Write bytes; they count as written where the reader has gone."""
        try:
            return super().write(data)
        except BrokenPipeError:
            pass
        except OSError as error:
            if self.fileno() == 1:
                raise InputError(
                    f"cannot write to stdout: {error.strerror or error}; make room, or send it elsewhere"
                ) from error
        return memoryview(data).nbytes


@contextlib.contextmanager
def lasting_streams() -> Iterator[None]:
    """Within it stdout and stderr outlive their readers, and show a character that their encoding lacks by its code."""
    with contextlib.redirect_stdout(_lasting(sys.stdout)), contextlib.redirect_stderr(_lasting(sys.stderr)):
        yield


def _lasting(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):  # closed, or replaced by a notebook or a test
        return stream
    stream.reconfigure(errors="backslashreplace")
    raw = getattr(stream.buffer, "raw", stream.buffer)  # PYTHONUNBUFFERED leaves no buffer between
    if stream.isatty() or not isinstance(raw, io.FileIO):
        return stream
    stream.flush()
    lasting = Unread(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        cast(Any, lasting) if raw is stream.buffer else io.BufferedWriter(lasting),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=raw is stream.buffer,
    )
