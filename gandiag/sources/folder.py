"""A folder of image files as a source."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from gandiag.core.errors import InputError, shown
from gandiag.core.files import file_sha256
from gandiag.core.protocols import SourceInfo

GREY = {"1", "L", "LA", "I", "I;16", "I;16B", "I;16L"}
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class FolderSource:
    """Image files of one size, in the order of the hash of their path, which carries no information."""

    info: SourceInfo
    files: tuple[Path, ...]
    mode: str

    def read(self, start: int, stop: int) -> Tensor:
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            return torch.stack(list(pool.map(self._image, self.files[start:stop])))

    def _image(self, file: Path) -> Tensor:
        pixels = _pixels(file, self.mode)
        if tuple(pixels.shape) != self.info.shape:
            message = f"{shown(file)} has the shape {tuple(pixels.shape)}, the first image {self.info.shape}"
            raise InputError(f"{message}; resize the images to one size")
        return pixels


def folder_source(path: str | os.PathLike[str], *, by_name: bool = False) -> FolderSource:
    """All images under a folder, in sub-folders too, in the order of the hash of their names, or of the names.

    Raises:
        InputError: there are none, or the first cannot be read.
    """
    root = Path(path)
    found = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
    images = [file for file in found if file.suffix.lower() in SUFFIXES]
    if not images:
        kinds = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
        raise InputError(
            f"the folder {shown(root)} holds no images ({kinds}); give a checkpoint or a folder with images"
        )

    def order(file: Path) -> bytes:
        return hashlib.sha256(os.fsencode(file.relative_to(root).as_posix())).digest()

    files = tuple(sorted(images) if by_name else sorted(images, key=order))
    mode = "L"
    digest = hashlib.sha256()
    for file in files:
        with _opened(file) as image:
            mode = mode if image.mode in GREY else "RGB"
        digest.update(order(file) + bytes.fromhex(file_sha256(file)))
    info = SourceInfo(
        name=str(root),
        kind="images",
        shape=tuple(_pixels(files[0], mode).shape),
        quantisation="uint8",
        size=len(files),
        path=str(root),
        sha256=digest.hexdigest(),
    )
    return FolderSource(info, files, mode)


def _opened(file: Path) -> Image.Image:
    try:
        return Image.open(file)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(f"{shown(file)} is no image that can be read: {error}") from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """Sixteen-bit grey scaled to eight; Pillow's own conversion cuts it off at 255."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).astype(np.float64) / 257).round().clip(0, 255).astype(np.uint8))


def _pixels(file: Path, mode: str) -> Tensor:
    try:
        with _opened(file) as image:
            pixels = np.array(_eight_bits(image).convert(mode))
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{shown(file)} is damaged: {error}") from error
    return torch.from_numpy(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1).copy())
