"""Images or points in an HDF5 file: the only array, one of the usual name, or the one of `FILE.h5:KEY`."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gandiag.core.errors import InputError, MissingExtraError, shown
from gandiag.core.files import check_ratio
from gandiag.core.protocols import Source
from gandiag.sources.arrays import as_tensor, table_source
from gandiag.sources.choice import choose
from gandiag.sources.file_table import TORCH
from gandiag.sources.formats import File, Reader, SourceOptions

MAGIC = b"\x89HDF\r\n\x1a\n"
IMAGES = ("images", "imgs", "data", "samples", "x", "image", "img", "arr_0")
LABELS = ("labels", "label", "targets", "classes", "y")
MOST_NAMES = 10_000


@dataclass(frozen=True)
class Hdf5Table:
    """Rows of an array; HDF5 lets one thread in at a time."""

    array: Any
    title: str
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)

    @property
    def dtype(self) -> torch.dtype:
        return TORCH.get(self.array.dtype.str[1:], torch.float64)

    def take(self, places: npt.NDArray[np.int64]) -> Tensor:
        """The rows at these places, which HDF5 reads in rising order and once each."""
        wanted, back = np.unique(places, return_inverse=True)
        try:
            with self.lock:
                last = int(wanted[-1]) + 1 if len(wanted) else 0
                run = len(wanted) > 0 and last - int(wanted[0]) == len(wanted)
                found = self.array[int(wanted[0]) : last] if run else self.array[wanted]
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{shown(self.title)} is damaged ({str(error).partition(chr(10))[0]})") from error
        return as_tensor(np.ascontiguousarray(found[back]), shown(self.title))


def _open(file: File, options: SourceOptions) -> Source:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(f"reading {shown(file.path)}", "h5py", "hdf5") from error
    try:
        opened = h5py.File(file.path, "r")
        arrays = dict(_arrays(opened))
        names = list(arrays)
        key = _chosen(file, names, arrays)
        array = arrays[key]
        title = f"{file.title}:{key}"
        _check(array, title)
        label = next((name for name in names if _last(name) in LABELS and name != key and _beside(name, key)), None)
        classes = None if label is None else _classes(arrays[label], array)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{shown(file.title)} is a damaged HDF5 file, or one that was cut short ({reason})") from error
    chosen = file.title if file.key is None else title
    table = Hdf5Table(array, title)
    return table_source(table, chosen, path=file.origin, in_order=options.by_name, classes=classes)


def _arrays(opened: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of a file by name, in order and each once, among its first names.

    HDF5 has a visitor of its own, which does not come back from some damaged files. What links lead to is not looked
    at: they may lead out of the file.
    """
    import h5py

    root = opened["/"]
    levels, seen, names = [("", root, iter(root))], {root}, 0
    while levels and names < MOST_NAMES:
        prefix, group, rest = levels[-1]
        name = next(rest, None)
        if name is None:
            levels.pop()
            continue
        names += 1
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        found = group[name]
        if found in seen:
            continue
        seen.add(found)
        if isinstance(found, h5py.Dataset):
            yield prefix + name, found
        elif isinstance(found, h5py.Group):
            levels.append((f"{prefix}{name}/", found, iter(found)))


def _chosen(file: File, names: list[str], arrays: dict[str, Any]) -> str:
    if file.key is not None:
        return choose(file, names, preferred=IMAGES)
    likely = [name for name in names if len(arrays[name].shape) in (2, 3, 4) and _last(name) not in LABELS]
    usual = [name for each in IMAGES for name in likely if _last(name) == each]
    return choose(file, likely if likely else names, preferred=usual[:1] or IMAGES[:1])


def _check(array: Any, title: str) -> None:
    if array.dtype.kind not in "fiub":
        raise InputError(f"{shown(title)} holds {array.dtype}, expected numbers")
    if array.external or array.is_virtual:
        raise InputError(f"{shown(title)} is refused: its values lie in other files; copy them into one")
    # What was never written takes no room and reads as zeros: a header may promise any number of them.
    size = math.prod(array.shape) * array.dtype.itemsize
    check_ratio(size, array.id.get_storage_size(), title)
    if array.chunks is not None:
        check_ratio(math.prod(array.chunks) * array.dtype.itemsize, array.id.get_storage_size(), title)


def _classes(labels: Any, array: Any) -> Tensor | None:
    if labels.dtype.kind not in "iu" or labels.shape not in (array.shape[:1], (*array.shape[:1], 1)):
        return None
    return as_tensor(labels[...], "labels").to(torch.int64)


def _last(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _beside(name: str, other: str) -> bool:
    return name.rpartition("/")[0] == other.rpartition("/")[0]


READER = Reader("an HDF5 file", lambda file: file.head.startswith(MAGIC), _open, keyed=True)
