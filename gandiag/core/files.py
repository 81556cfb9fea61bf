"""Writing files whole or not at all, telling them apart by their content, and reading no more than they may hold."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gandiag.core.errors import InputError, shown

MOST_TEXT = 2**26  # bytes of JSON: in memory it takes thirty times that at worst
MOST_RATIO = 200  # how much larger than its file content may be: images are compressed already
MERCY = 2**26  # bytes up to which no ratio is too large
MOST_TENSORS = 50_000  # in a file: each takes time, however small it is, and the largest networks have a fifth of that


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes when it does not.

    A device or a pipe, such as /dev/null, /dev/stdout or a shell's `>(...)`, stays what it is, and gets the content.
    So does a link; what it leads to is written. A file that is there keeps its permissions.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    named = Path(path)
    if _is_special(named):
        with _passed_on(named) as temporary:
            yield temporary
        return
    target = Path(os.path.realpath(named))
    try:
        if target.is_symlink():
            raise OSError(errno.ELOOP, "it is a link that leads back to itself")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=".part", dir=target.parent)
        os.close(handle)
    except OSError as error:
        message = f"cannot write {shown(named)}: {error.strerror or error}; choose a file in a folder you may write to"
        raise InputError(message) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(_mode(target))
        temporary.replace(target)
    except OSError as error:
        raise InputError(f"cannot write {shown(named)}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _is_special(path: Path) -> bool:
    """Whether there is something at a path that is neither a file nor a folder."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def _passed_on(target: Path) -> Iterator[Path]:
    """A temporary path whose content goes to a device or a pipe when the block ends well."""
    try:
        with tempfile.TemporaryDirectory(prefix="gandiag-") as folder:
            temporary = Path(folder, "content")
            temporary.touch()
            yield temporary
            with temporary.open("rb") as content, target.open("wb") as passed:
                shutil.copyfileobj(content, passed)
    except OSError as error:
        raise InputError(f"cannot write {shown(target)}: {error.strerror or error}") from error


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_bounded(path: str | os.PathLike[str], most: int = MOST_TEXT) -> bytes:
    """All of a file that is small by its nature, such as JSON or TOML.

    A pipe without a writer is not waited for, and a device without an end is not read.

    Raises:
        OSError: it cannot be read, is no regular file, or has more than `most` bytes.
    """
    # A pipe is opened at once, and found to be none of ours.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file, but a pipe or a device", os.fspath(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes, which no file of this kind has", os.fspath(path))
    return content


def check_ratio(size: int, compressed: int, title: str) -> None:
    """Raise InputError where content unpacks to far more than it takes, as bombs do."""
    if size > max(compressed * MOST_RATIO, MERCY):
        message = f"{shown(title)} is refused: it unpacks from {compressed / 2**20:,.1f} MiB to {size / 2**20:,.0f}"
        raise InputError(f"{message}, as no images do")


def _mode(path: Path) -> int:
    """The permissions of the file at a path, or those of any new file."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:  # asked for once: another process may remove it between two questions
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
