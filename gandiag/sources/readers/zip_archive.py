"""A zip archive of image files, read in place."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gandiag.core.errors import InputError, shown
from gandiag.core.files import MOST_TEXT
from gandiag.core.protocols import Source
from gandiag.core.zip_file import check_apart
from gandiag.sources import labels_file
from gandiag.sources.archive import archive_source, check_name
from gandiag.sources.encoded import checked_size, is_image
from gandiag.sources.formats import EMPTY_ZIP, ZIP, File, Reader, SourceOptions
from gandiag.sources.labels_file import LabelsFile
from gandiag.sources.saved import holds_pickle
from gandiag.sources.spool import Handle, open_handle

LOCAL = struct.Struct("<4s5H3I2H")  # what stands before each entry
SLACK = 512  # bytes of an entry's extra field that are read with it
ENCRYPTED = 0x1


@dataclass(frozen=True)
class ZipPart:
    """The images of one archive; the file itself is read, since `zipfile` takes longer than a decoder."""

    title: str
    handle: Handle
    entries: Sequence[zipfile.ZipInfo]
    names: Sequence[str]
    labels: LabelsFile | None = None

    def read(self, index: int) -> bytes:
        return self.content(self.entries[index])

    def content(self, entry: zipfile.ZipInfo) -> bytes:
        """The bytes of an entry."""
        title = f"{self.title}:{entry.filename}"
        # A name of n characters takes at most 4n bytes; what comes after the entry is cut off below.
        spare = LOCAL.size + 4 * len(entry.filename) + SLACK
        raw = self.handle.read(entry.header_offset, spare + entry.compress_size)
        if len(raw) < LOCAL.size or not raw.startswith(ZIP):
            raise InputError(f"{shown(title)} is damaged, or has changed while it was read")
        *_, name_size, extra_size = LOCAL.unpack_from(raw)
        start = LOCAL.size + name_size + extra_size
        packed = raw[start : start + entry.compress_size]
        if len(packed) < entry.compress_size:
            packed = self.handle.read(entry.header_offset + start, entry.compress_size)
        return _unpacked(packed, entry, title)


def _unpacked(packed: bytes, entry: zipfile.ZipInfo, title: str) -> bytes:
    content = packed
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        try:
            # One byte more than there should be tells an entry that says less than it holds.
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, entry.file_size + 1)
        except zlib.error as error:
            raise InputError(f"{shown(title)} is damaged ({error})") from error
    if len(content) != entry.file_size or zlib.crc32(content) != entry.CRC:
        raise InputError(f"{shown(title)} is damaged, or has changed while it was read: its checksum does not fit")
    return content


def zip_part(path: Path, title: str) -> ZipPart:
    """The images of one archive, by name.

    Raises:
        InputError: it is damaged or encrypted, or holds what no archive of images does.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_apart(archive, title)
            entries = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise InputError(f"cannot read {shown(title)}: it is a damaged archive, or one that was cut short") from error
    seen: set[str] = set()
    images = []
    for entry in entries:
        check_name(entry.filename, title, seen)
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InputError(f"{shown(title)} is refused: {shown(entry.filename)} in it is a link")
        if not entry.is_dir() and is_image(entry.filename):
            _check(entry, title)
            images.append(entry)
    images.sort(key=lambda entry: entry.filename)
    names = [entry.filename for entry in images]
    part = ZipPart(title, open_handle(path), images, names)
    said = next((entry for entry in entries if entry.filename == labels_file.NAME), None)
    if said is None:
        return part
    _check(said, title)
    if said.file_size > MOST_TEXT:
        raise InputError(f"{shown(title)} holds a {labels_file.NAME} of {said.file_size:,} bytes; remove it")
    return replace(part, labels=labels_file.read_labels(part.content(said), names, f"{title}:{labels_file.NAME}"))


def _check(entry: zipfile.ZipInfo, title: str) -> None:
    name = f"{title}:{entry.filename}"
    if entry.flag_bits & ENCRYPTED:
        raise InputError(f"{shown(title)} is encrypted; unpack it, and give the folder")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{shown(name)} is compressed by method {entry.compress_type}; use a zip of deflate or store")
    checked_size(entry.file_size, name)
    checked_size(entry.compress_size, name)


def _recognises(file: File) -> bool:
    if not file.head.startswith((ZIP, EMPTY_ZIP)) or holds_pickle(file):
        return False
    names = file.members
    arrays = bool(names) and all(name.endswith(".npy") for name in names)
    tops = {name.partition("/")[2] for name in names}
    code = bool(tops & {"data.pkl", "constants.pkl", "archive_format", "models/model.json"})
    code |= "version" in tops and not any(map(is_image, names))
    return not arrays and not code


def _open(file: File, options: SourceOptions) -> Source:
    titles = [file.title] if len(file.parts) == 1 else [str(path) for path in file.parts]
    parts = [zip_part(path, title) for path, title in zip(file.parts, titles, strict=True)]
    return archive_source(file, parts, options)


READER = Reader("a zip archive", _recognises, _open, joined=True)
