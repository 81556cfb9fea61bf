"""A folder of features that were computed before, found by the whole protocol that they follow.

One entry is one file, named by the digest of its key. The key is all that the values depend on, content hashes
included, so an entry never goes stale: what changes has another name. Several processes may use one folder.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

from gandiag.core.errors import InputError, shown
from gandiag.core.files import atomic_write
from gandiag.core.fingerprint import fingerprint
from gandiag.statistics.rows import BUDGET
from gandiag.statistics.tensor_file import TensorFile, Values, read_tensors, tensor_bytes, write_tensors

if sys.platform != "win32":
    import fcntl

FORMAT = "gandiag.cache/1"
KEY = "gandiag.key"
LIMIT = 10 * 2**30
SUFFIX = ".safetensors"
PARTS = ".*.safetensors.*.part"  # what `atomic_write` calls an entry that is being written
STALE = 3600.0  # seconds without a write after which an unfinished file has no writer, where there are no locks


def default_cache_folder() -> Path:
    """`$GANDIAG_CACHE`, else `gandiag/features` in `$XDG_CACHE_HOME`, else in `~/.cache`."""
    named = os.environ.get("GANDIAG_CACHE")
    if named:
        return Path(named).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "gandiag" / "features"


class Cache:
    """Named tensors by key, in a folder that grows up to a limit and then forgets what was used longest ago.

    No trouble with it ends the work: what cannot be read is computed, what cannot be written is not kept.

    Args:
        folder: made when the first entry is stored.
        warn: told in one line what is damaged or cannot be written.
        limit: bytes of all entries.
        budget: bytes of one Rows that stay in memory when it is loaded.
    """

    def __init__(self, folder: Path, *, warn: Callable[[str], None], limit: int = LIMIT, budget: int = BUDGET) -> None:
        self.folder = folder
        self._warn = warn
        self._limit = limit
        self._budget = budget
        self._writable = True
        self._tidied = False

    def load(self, key: Mapping[str, Any], device: str = "cpu") -> TensorFile | None:
        """What was stored under the key; None if nothing was, or if it is damaged.

        What was on an accelerator when it was stored is put on `device`, the rest on the CPU.
        """
        self._tidy()
        path = self.path(key)
        if _taken(path):
            self._warn(f"the cache entry {shown(path)} is no file; the features are computed again, and not kept")
            return None
        try:
            with path.open("rb") as file:
                found = read_tensors(file, file_format=FORMAT, device=device, budget=self._budget)
            if found.metadata.get(KEY) != _text(key):
                raise InputError("of another key")
        except FileNotFoundError:
            return None
        except InputError as error:
            self._warn(f"the cache entry {shown(path)} is {error}; it is computed again")
            with suppress(OSError):
                path.unlink()
            return None
        except OSError as error:
            self._warn(f"the cache entry {shown(path)} cannot be read: {error.strerror}; it is computed again")
            return None
        with suppress(OSError):  # a folder that is only read from forgets nothing
            os.utime(path)
        metadata = {name: value for name, value in found.metadata.items() if name != KEY}
        return TensorFile(found.tensors, metadata)

    def store(
        self, key: Mapping[str, Any], tensors: Mapping[str, Values], metadata: Mapping[str, str] | None = None
    ) -> None:
        """Keep tensors under the key, and drop the least recently used entries beyond the limit."""
        self._tidy()
        path = self.path(key)
        size = tensor_bytes(tensors)
        if size > self._limit:
            sizes = f"{size / 2**30:.1f} GiB, and the cache's limit is {self._limit / 2**30:.1f} GiB"
            self._warn(f"the features are not kept: they take {sizes}")
            return
        if not self._writable or _taken(path):
            return
        try:
            _write(path, tensors, {**(metadata or {}), KEY: _text(key)})
        except InputError as error:
            self._writable = False
            self._warn(f"the features are not kept: {error}")
            return
        self._evict(path)

    def path(self, key: Mapping[str, Any]) -> Path:
        """Where the entry of a key is, if it is there."""
        return self.folder / f"{fingerprint(key)}{SUFFIX}"

    def _evict(self, kept: Path) -> None:
        entries = sorted(entries_of(self.folder), key=lambda entry: (entry[0] == kept, entry[1], entry[0]))
        total = sum(size for _, _, size in entries)
        for path, _, size in entries:
            if total <= self._limit or path == kept:
                return
            with suppress(OSError):  # another process was faster
                path.unlink()
            total -= size

    def _tidy(self) -> None:
        """Remove what killed writers have left, once."""
        if self._tidied:
            return
        self._tidied = True
        for part in self.folder.glob(PARTS):
            with suppress(OSError):
                _remove_unless_written(part)


def _taken(path: Path) -> bool:
    """Whether something other than a file stands there: a folder, or a pipe, which would be waited for."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # asked once: between two questions another process may drop the entry
        return False


class _RemovedByOtherError(Exception):
    """Another process took the file for one that nobody writes, before it was locked."""


def _write(path: Path, tensors: Mapping[str, Values], metadata: Mapping[str, str]) -> None:
    for _ in range(10):
        # The lock is held until the file has its name: whoever gets the lock of a part knows that its writer is dead.
        with ExitStack() as held, suppress(_RemovedByOtherError):
            with atomic_write(path) as temporary:
                file = held.enter_context(_locked(temporary))
                write_tensors(file, tensors, file_format=FORMAT, metadata=metadata)
            return


def _locked(temporary: Path) -> BinaryIO:
    try:
        file = temporary.open("rb+")
    except FileNotFoundError as error:
        raise _RemovedByOtherError from error
    if sys.platform != "win32":
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(file, fcntl.LOCK_EX)
    if not os.fstat(file.fileno()).st_nlink:
        file.close()
        raise _RemovedByOtherError
    return file


def _remove_unless_written(part: Path) -> None:
    if time.time() - part.stat().st_mtime > STALE:
        part.unlink()
    elif sys.platform != "win32":
        with part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises while its writer lives
            part.unlink()


def entries_of(folder: Path) -> Iterator[tuple[Path, int, int]]:
    """Path, time of the last use in nanoseconds, and size in bytes of every entry of a cache that others may use.

    Raises:
        OSError: the folder cannot be read.
    """
    with os.scandir(folder) as found:
        for item in found:
            with suppress(FileNotFoundError):
                if item.name.endswith(SUFFIX) and not item.name.startswith(".") and item.is_file():
                    status = item.stat()
                    yield Path(item.path), status.st_mtime_ns, status.st_size


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)
