"""Samples into files: a folder or a zip of PNG images, or an `.npz` as ADM's; whole or not at all."""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from gandiag._version import __version__
from gandiag.core.errors import InputError, UsageError, shown
from gandiag.core.files import atomic_write
from gandiag.core.protocols import SourceInfo
from gandiag.sources import labels_file
from gandiag.sources.encoded import workers
from gandiag.sources.png import encode_png

EPOCH = (1980, 1, 1, 0, 0, 0)  # the time of every entry, so that the same samples are the same bytes
OTHERS = frozenset({".npy", ".tar", ".pt", ".h5", ".hdf5", ".parquet", ".gif", ".png", ".jpg", ".safetensors", ".gz"})
DIGITS = 6  # of a file's number, or more where there are more files

Write = Callable[[Tensor, Tensor | None], None]
Said = Mapping[str, Any]  # of the samples, beside them: how many, of what, by which seed


class Place(Protocol):
    """Where batches of samples go, each with its classes if it has any."""

    def __call__(self, path: Path, info: SourceInfo, said: Said) -> AbstractContextManager[Write]: ...


def place_of(path: str | os.PathLike[str], info: SourceInfo) -> Place:
    """How samples are written to a path: told by its suffix, `.npz`, `.zip`, or none of a file's for a folder.

    Raises:
        UsageError: it has the suffix of another kind of file.
        InputError: the samples cannot be written so, or something is there already.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix in OTHERS:
        raise UsageError(f"samples are written to a folder, FILE.npz or FILE.zip, not to {shown(target)}")
    if suffix == ".npz":
        return _arrays
    if len(info.shape) != 3 or info.shape[0] not in (1, 3):
        raise InputError(f"samples of the shape {info.shape} are no PNG images; write them to an .npz file")
    if suffix == ".zip":
        return _zip
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        found = "a folder with something in it" if target.is_dir() else "a file"
        raise InputError(f"{shown(target)} is {found}; name a new folder")
    return _folder


@contextmanager
def _arrays(path: Path, info: SourceInfo, said: Said) -> Iterator[Write]:
    """`arr_0`, uint8 (n, H, W, C) or float32 (n, d), and `arr_1`, the classes."""
    images = len(info.shape) == 3
    shape = (*info.shape[1:], info.shape[0]) if images else info.shape
    header = {"descr": "|u1" if images else "<f4", "fortran_order": False, "shape": (said["samples"], *shape)}
    classes: list[Tensor] = []
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        with archive.open(zipfile.ZipInfo("arr_0.npy", EPOCH), "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)

            def write(samples: Tensor, labels: Tensor | None) -> None:
                values = samples.permute(0, 2, 3, 1) if images else samples.float()
                file.write(values.contiguous().numpy().tobytes())
                if labels is not None:
                    classes.append(labels)

            yield write
        text = np.frombuffer(json.dumps(said, allow_nan=False).encode(), dtype=np.uint8)
        beside = {labels_file.OWN: text}
        if classes:
            beside["arr_1"] = np.concatenate([each.numpy() for each in classes])
        for name, array in beside.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EPOCH), buffer.getvalue())


@contextmanager
def _zip(path: Path, info: SourceInfo, said: Said) -> Iterator[Write]:
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:

        def keep(name: str, content: bytes) -> None:
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content)

        with _named(said, keep) as write:
            yield write


@contextmanager
def _folder(path: Path, info: SourceInfo, said: Said) -> Iterator[Write]:
    """Built beside its place, and moved there when it is complete; in it, where it is there and empty."""
    there = path.is_dir()  # maybe the current folder, or a mounted one: no other can be moved to its place
    building = (path if there else path.parent) / f".{path.name[:80]}.{secrets.token_hex(4)}.part"

    def keep(name: str, content: bytes) -> None:
        (building / name).write_bytes(content)

    try:
        building.mkdir(parents=True)
        with _named(said, keep) as write:
            yield write
        if there:
            for file in sorted(building.iterdir()):
                file.rename(path / file.name)
        else:
            building.rename(path)
    except OSError as error:
        message = f"cannot write {shown(path)}: {error.strerror or error}"
        raise InputError(f"{message}; choose a folder in one you may write to") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


@contextmanager
def _named(said: Said, keep: Callable[[str, bytes], object]) -> Iterator[Write]:
    """Images by number, and their classes in the file that StyleGAN's tools read too."""
    digits = max(DIGITS, len(str(said["samples"] - 1)))
    classes: list[tuple[str, int]] = []
    done = 0

    with ThreadPoolExecutor(max_workers=workers()) as pool:

        def write(samples: Tensor, labels: Tensor | None) -> None:
            nonlocal done
            names = [f"{number:0{digits}d}.png" for number in range(done, done + len(samples))]
            for name, content in zip(names, pool.map(partial(encode_png, quick=True), samples), strict=True):
                keep(name, content)
            if labels is not None:
                classes.extend(zip(names, labels.tolist(), strict=True))
            done += len(samples)

        yield write
    keep(labels_file.NAME, labels_file.written_labels(classes, said))


def write_samples(
    batches: Iterable[tuple[Tensor, Tensor | None]],
    path: str | os.PathLike[str],
    info: SourceInfo,
    *,
    count: int,
    seed: int,
) -> None:
    """Write `count` samples of a source, which come in batches with their classes, and beside them what they are.

    Raises:
        InputError: as `place_of`, or they cannot be written.
        UsageError: as `place_of`.
    """
    said = {
        "format": labels_file.FORMAT,
        "samples": count,
        "source": info.name,
        "sha256": info.sha256,
        "weights": info.weights,
        "seed": seed,
        "gandiag": __version__,
    }
    with place_of(path, info)(Path(path), info, said) as write:
        for samples, labels in batches:
            # The forms of such files know one class a sample; stacked digits have one a channel.
            write(samples, labels if labels is not None and labels.ndim == 1 else None)
