"""Image files as a source, wherever their bytes lie: in a folder, in an archive, in a column of a table."""

from __future__ import annotations

import hashlib
import os
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gandiag.core.errors import InputError, shown
from gandiag.core.protocols import SourceInfo
from gandiag.sources.decode import LOSSES, MOST_BYTES, SUFFIXES, Header, Pixels, decode, quiet_pillow, read_header
from gandiag.sources.labels_file import LabelsFile
from gandiag.sources.order import fair_order

MOST_CLASSES = 2**31
CHUNK = 32  # images that one thread takes at a time
SHARD_DIGITS = 5  # folders such as 00000/ hold parts of a large set, and no classes


class Contents(Protocol):
    """Image files by index."""

    @property
    def names(self) -> Sequence[str]:
        """Their names, relative and with `/`; no two are the same."""
        ...

    def read(self, index: int) -> bytes:
        """The bytes of one of them. Several threads ask at once."""
        ...

    def title(self, index: int) -> str:
        """What to call one of them in a message."""
        ...


@dataclass(frozen=True)
class EncodedSource:
    """Image files of one size.

    Attributes:
        info: what it is.
        contents: where the bytes are.
        order: which file each sample is.
        checks: CRC-32 of each file as it was when it was opened.
        classes: of each file, int64; None where they have none.
    """

    info: SourceInfo
    contents: Contents
    order: npt.NDArray[np.int64]
    checks: Sequence[int] = field(repr=False)
    classes: Tensor | None = None

    @property
    def names(self) -> list[str]:
        """The files' names, in the order of the samples."""
        return [self.contents.names[place] for place in self.order.tolist()]

    def read(self, start: int, stop: int) -> Tensor:
        """Samples `start` to `stop`, uint8 (n, C, H, W).

        Raises:
            InputError: a file is damaged, or has changed since it was opened.
        """
        places = self.order[start:stop].tolist()
        channels, height, width = self.info.shape
        found = np.empty((len(places), height, width, channels), dtype=np.uint8)

        def fill(first: int) -> None:
            for at in range(first, min(first + CHUNK, len(places))):
                found[at] = self._image(places[at])

        with ThreadPoolExecutor(max_workers=workers()) as pool:
            for _ in pool.map(fill, range(0, len(places), CHUNK)):
                pass
        return torch.from_numpy(found).permute(0, 3, 1, 2).contiguous()

    def labels(self, start: int, stop: int) -> Tensor | None:
        """The classes of samples `start` to `stop`, int64 (n,)."""
        return None if self.classes is None else self.classes[torch.from_numpy(self.order[start:stop])]

    def _image(self, index: int) -> Pixels:
        content = self.contents.read(index)
        channels, height, width = self.info.shape
        try:
            if zlib.crc32(content) != self.checks[index]:
                raise InputError("not what it was when it was opened: score files that nothing writes to")
            pixels = decode(content, channels)
            if pixels.shape[:2] != (height, width):
                raise InputError(f"damaged: it holds {pixels.shape[1]} x {pixels.shape[0]} pixels")
        except InputError as error:
            raise InputError(f"{shown(self.contents.title(index))} is {error}") from error
        return pixels


def encoded_source(
    contents: Contents,
    name: str,
    *,
    path: str | None,
    by_name: bool = False,
    labels: LabelsFile | None = None,
    warnings: Sequence[str] = (),
) -> EncodedSource:
    """All images, in an order that is the same on every machine.

    Args:
        contents: where they are.
        name: what to call them.
        path: the file or folder.
        by_name: in the order of their names; in a fixed random order of these otherwise.
        labels: the classes, and whether the order of the names is one of chance.
        warnings: what to say of them beside what is found here.

    Raises:
        InputError: one cannot be read, or they are of several sizes.
    """
    classes, in_order = (None, False) if labels is None else (labels.classes, labels.in_order)
    survey = _survey(contents)
    height, width = _one_size(survey, contents, name)
    keys = [os.fsencode(unicodedata.normalize("NFC", each)) for each in contents.names]
    places = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
    digest = hashlib.sha256()
    for place in places.tolist():
        digest.update(hashlib.sha256(keys[place]).digest() + survey.digests[place])
    if classes is not None:
        if not all(0 <= number < MOST_CLASSES for number in classes):
            raise InputError(f"{shown(name)} has classes beyond 0 to {MOST_CLASSES:,}; number them from 0")
        digest.update(np.asarray(classes, dtype=np.int64)[places].tobytes())
    count, shuffled = len(keys), not (by_name or in_order)
    info = SourceInfo(
        name=name,
        kind="images",
        shape=(1 if survey.grey == count else 3, height, width),
        quantisation="uint8",
        size=count,
        path=path,
        sha256=digest.hexdigest(),
        shuffled=shuffled,
        lossy=", ".join(sorted(survey.lossy)) or None,
        warnings=(*warnings, *_losses(survey, name, count)),
    )
    order = places[fair_order(count)] if shuffled else places
    kept = None if classes is None else torch.tensor(classes, dtype=torch.int64)
    return EncodedSource(info, contents, order, survey.checks, kept)


def is_image(name: str) -> bool:
    """Whether a relative name is that of an image, and not hidden or what an operating system left behind."""
    parts = name.split("/")
    if any(part.startswith(".") or part == "__MACOSX" for part in parts):
        return False
    return PurePosixPath(parts[-1]).suffix.lower() in SUFFIXES


def folder_classes(names: Sequence[str]) -> list[int] | None:
    """The class of each name by its first folder, where each has one and there are two or more, as in ImageFolder."""
    folders = [name.partition("/")[0] if "/" in name else "" for name in names]
    known = sorted(set(folders))
    shards = all(len(each) == SHARD_DIGITS and each.isdigit() for each in known)
    if "" in known or len(known) < 2 or shards:
        return None
    number = {folder: index for index, folder in enumerate(known)}
    return [number[folder] for folder in folders]


def checked_size(size: int, title: str) -> int:
    """The size of one image file; InputError where it is too large to be one."""
    if size > MOST_BYTES:
        raise InputError(f"{shown(title)} takes {size / 2**20:,.0f} MiB, and an image file at most {MOST_BYTES >> 20}")
    return size


def workers() -> int:
    """Threads that read: more than 16 only wait for each other."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(16, cores)


@dataclass
class _Survey:
    """What a look at every header found."""

    digests: list[bytes] = field(default_factory=list)
    checks: list[int] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    first: dict[tuple[int, int], int] = field(default_factory=dict)  # index of the first image of a size
    grey: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    lossy: set[str] = field(default_factory=set)

    def add(self, digest: bytes, check: int, header: Header) -> None:
        size = (header.height, header.width)
        self.first.setdefault(size, len(self.digests))
        self.digests.append(digest)
        self.checks.append(check)
        self.sizes[size] += 1
        self.grey += header.grey
        self.losses.update(header.losses)
        if header.lossy is not None:
            self.lossy.add(header.lossy)


def _survey(contents: Contents) -> _Survey:
    count = len(contents.names)

    def look(first: int) -> list[tuple[bytes, int, Header]]:
        return [_look(contents, index) for index in range(first, min(first + CHUNK, count))]

    survey = _Survey()
    with quiet_pillow(), ThreadPoolExecutor(max_workers=workers()) as pool:
        try:
            for part in pool.map(look, range(0, count, CHUNK)):
                for found in part:
                    survey.add(*found)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return survey


def _look(contents: Contents, index: int) -> tuple[bytes, int, Header]:
    content = contents.read(index)
    try:
        return hashlib.sha256(content).digest(), zlib.crc32(content), read_header(content)
    except InputError as error:
        raise InputError(f"{shown(contents.title(index))} is {error}") from error


def _one_size(survey: _Survey, contents: Contents, name: str) -> tuple[int, int]:
    usual, _ = survey.sizes.most_common(1)[0]
    if len(survey.sizes) > 1:
        found = ", ".join(f"{count} of {width} x {height}" for (height, width), count in survey.sizes.most_common(3))
        other = next(size for size in survey.first if size != usual)
        more = f" and {len(survey.sizes) - 3} sizes more" if len(survey.sizes) > 3 else ""
        example = shown(contents.title(survey.first[other]))
        message = f"the images of {shown(name)} have several sizes: {found}{more}, such as {example}"
        raise InputError(f"{message}; resize or crop them to one size, as those of the reference were")
    return usual


def _losses(survey: _Survey, name: str, count: int) -> Iterator[str]:
    for key, text in LOSSES.items():
        if survey.losses[key]:
            yield f"{survey.losses[key]:,} of the {count:,} images of {name} {text}"
