"""Statistics of a reference in a file: gandiag's own `gandiag.statistics/1`, and those of other tools."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.core.errors import InputError, UsageError, shown
from gandiag.core.files import atomic_write, file_sha256
from gandiag.core.strict_json import parse_json
from gandiag.statistics.bank_file import Values, moments_from, moments_tensors
from gandiag.statistics.grouped_moments import GroupedMoments
from gandiag.statistics.moments import Moments
from gandiag.statistics.reference_statistics import ReferenceStatistics
from gandiag.statistics.statistics_npz import holds_statistics, identify, npz_keys, read_npz
from gandiag.statistics.tensor_file import FORMAT as FORMAT_KEY
from gandiag.statistics.tensor_file import read_metadata, read_tensors, write_tensors

FORMAT = "gandiag.statistics/1"
PROTOCOL = "gandiag.protocol"
CONVENTION = "gandiag: covariance over N - 1, accumulated in float64"
PICKLE = b"\x80"
ZIP = b"PK"


@dataclass(frozen=True)
class Outline:
    """What the header of a statistics file says, unchecked.

    Attributes:
        path: of the file.
        kind: `gandiag`, or the convention of another tool.
        name: of the data; None where the file does not say.
        samples, extractor, preprocessing: likewise.
    """

    path: Path
    kind: str
    name: str | None = None
    samples: int | None = None
    extractor: str | None = None
    preprocessing: str | None = None


def outlines(folder: str | os.PathLike[str]) -> Iterator[Outline]:
    """The statistics files in a folder, by name; of each the header alone is read.

    Raises:
        InputError: there is no such folder, or it cannot be read.
    """
    try:
        files = sorted(file for file in Path(folder).iterdir() if file.is_file() and is_statistics_file(file))
    except OSError as error:
        raise InputError(f"cannot read the folder {shown(folder)}: {error.strerror or error}") from error
    for file in files:
        keys = npz_keys(file)
        if keys:
            kind, preprocessing, _ = identify(file, keys)
            yield Outline(file, kind, preprocessing=preprocessing)
            continue
        with file.open("rb") as opened:
            said = _said(read_metadata(opened).get(PROTOCOL, ""))
        texts = {field: said.get(field) for field in ("name", "extractor", "preprocessing")}
        named = {field: text for field, text in texts.items() if isinstance(text, str)}
        samples = said.get("samples")
        yield Outline(file, "gandiag", samples=samples if isinstance(samples, int) else None, **named)


def is_statistics_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds statistics, by what is in it and not by its name; images in an `.npz` are none."""
    try:
        if not Path(path).is_file():
            return False
        with open(path, "rb") as file:
            if file.read(2) == ZIP:
                return holds_statistics(npz_keys(path))
            file.seek(0)
            return read_metadata(file).get(FORMAT_KEY) == FORMAT
    except (OSError, InputError):
        return False


def read_statistics(
    path: str | os.PathLike[str], *, convention: str | None = None, samples: int | None = None
) -> ReferenceStatistics:
    """Read a statistics file of gandiag or of another tool; nothing in it is run.

    Args:
        path: of the file.
        convention: whose it is, where an `.npz` does not say: `pytorch-fid`, `clean-fid`, `stylegan`, `edm`, `adm`.
        samples: how many samples it is of, where it does not say.

    Raises:
        InputError: there is no such file, it is a pickle, damaged, or no statistics.
        UsageError: the arguments do not fit the file.
    """
    file = Path(path)
    try:
        if file.exists() and not file.is_file():  # a pipe is not waited for
            raise OSError("it is a folder" if file.is_dir() else "it is no regular file")
        with file.open("rb") as opened:
            start = opened.read(2)
    except OSError as error:
        raise InputError(f"cannot read the statistics {shown(file)}: {error.strerror or error}") from error
    if start.startswith(PICKLE) or file.suffix.lower() in (".pkl", ".pickle"):
        message = f"{shown(file)} is a Python pickle, as StyleGAN caches statistics, and loading one can run anything"
        raise InputError(f"{message}; build it anew with `gandiag stats build`, or save mu and sigma as .npz")
    if start == ZIP:
        return read_npz(file, convention=convention, samples=samples)
    if convention is not None or samples is not None:
        raise UsageError(f"{shown(file)} is no .npz; a convention or a number of samples is only said of those")
    return _read_own(file)


def write_statistics(path: str | os.PathLike[str], statistics: ReferenceStatistics) -> None:
    """Write gandiag's own file, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    tensors: dict[str, Values] = {}
    for name, moments in (("moments", statistics.moments), ("spatial_moments", statistics.spatial_moments)):
        if moments is not None:
            tensors.update(moments_tensors(name, _symmetric(moments)))
    said = {
        "name": statistics.name,
        "samples": statistics.samples,
        "extractor": statistics.extractor,
        "extractor_sha256": statistics.extractor_sha256,
        "preprocessing": statistics.preprocessing,
        "source_sha256": statistics.source_sha256,
        "protocol": dict(statistics.protocol),
    }
    metadata = {PROTOCOL: json.dumps(said, allow_nan=False)}
    with atomic_write(path) as temporary, temporary.open("rb+") as file:
        write_tensors(file, tensors, file_format=FORMAT, metadata=metadata)


def _read_own(file: Path) -> ReferenceStatistics:
    try:
        with file.open("rb") as opened:
            found = read_tensors(opened, file_format=FORMAT)
        said = parse_json(found.metadata[PROTOCOL])
        moments = moments_from("moments", found.tensors)
        if moments is None or not isinstance(said, dict) or moments.count != said["samples"]:
            raise InputError("incomplete")
        return ReferenceStatistics(
            name=str(said["name"]),
            convention=CONVENTION,
            moments=moments,
            spatial_moments=moments_from("spatial_moments", found.tensors),
            samples=said["samples"],
            extractor=said["extractor"],
            extractor_sha256=said["extractor_sha256"],
            preprocessing=said["preprocessing"],
            source_sha256=said["source_sha256"],
            protocol=dict(said["protocol"]),
            path=str(file),
            sha256=file_sha256(file),
        )
    except InputError as error:
        message = f"{shown(file)} cannot be used as statistics: it is {error}"
        raise InputError(f"{message}; build it anew with `gandiag stats build`") from error
    except (KeyError, OSError, RecursionError, TypeError, ValueError) as error:
        raise InputError(f"{shown(file)} is damaged ({type(error).__name__}: {error}); build it anew") from error


def _said(text: str) -> dict[str, Any]:
    try:
        said = parse_json(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _symmetric(moments: GroupedMoments) -> GroupedMoments:
    """The same with scatters that are symmetric to the last bit, of which a file holds one half."""
    if moments.from_rows:
        return moments
    groups = [Moments(group.count, group.mean, (group.scatter + group.scatter.T) / 2) for group in moments.groups]
    return GroupedMoments(
        count=moments.count, rows=moments.rows, lowest=moments.lowest, highest=moments.highest, groups=groups
    )
