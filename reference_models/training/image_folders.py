"""Two folders of images as two domains, unpaired."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from gandiag import InputError, UsageError

NAME = "folders"
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
PAIRS = {"train": ("trainA", "trainB"), "test": ("testA", "testB")}  # names in the published sets


@dataclass(frozen=True)
class FolderInfo:
    """What is to know of a folder, or of two."""

    name: str
    shape: tuple[int, ...]
    size: int | None
    sha256: str
    dataset: str = NAME


@dataclass(frozen=True)
class ImageFolder:
    """Images of a folder, uint8 (n, 3, side, side), in memory, in the order of their names."""

    info: FolderInfo
    images: Tensor

    def read(self, start: int, stop: int) -> Tensor:
        """Images `start` to `stop`."""
        return self.images[start:stop]


@dataclass(frozen=True)
class FolderPair:
    """Two folders; `read` gives the images of the first."""

    info: FolderInfo
    source: ImageFolder
    target: ImageFolder

    def read(self, start: int, stop: int) -> Tensor:
        """Images `start` to `stop` of the first folder."""
        return self.source.read(start, stop)


def open_folders(root: Path | None, side: int, split: str = "train") -> FolderPair:
    """Two folders in `root`: `trainA` and `trainB` (`testA` and `testB`), or else the only two, in the order of names.

    Args:
        root: the folder that they are in.
        side: images are scaled and cropped in the middle to this side.
        split: `train` or `test`.

    Raises:
        UsageError: there is no root, or it holds other than two folders.
        InputError: an image cannot be read, or a folder holds none.
    """
    if root is None or not root.is_dir():
        raise UsageError(f"--dataset {NAME} needs --data-root, a folder with two folders of images; found {root}")
    names = PAIRS[split]
    if not all((root / name).is_dir() for name in names):
        folders = (each.name for each in root.iterdir() if each.is_dir() and not each.name.startswith("."))
        found = sorted(name for name in folders if name not in PAIRS["test"])  # those are not trained on
        if len(found) != 2 or split == "test":
            message = f"--data-root {root} holds {', '.join(found) or 'no folders'}"
            message = f"{message} for the {split} split" if split == "test" else f"{message} to train on"
            raise UsageError(f"{message}; expected {names[0]} and {names[1]}, or two folders of images and no other")
        names = (found[0], found[1])
    source, target = (_folder(root / name, side) for name in names)
    digest = hashlib.sha256((source.info.sha256 + target.info.sha256).encode()).hexdigest()
    size = min(len(source.images), len(target.images))
    info = FolderInfo(f"{names[0]} and {names[1]}", source.info.shape, size, digest)
    return FolderPair(info, source, target)


def _folder(path: Path, side: int) -> ImageFolder:
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{path} holds no images; expected files that end in {', '.join(SUFFIXES)}")
    images = torch.stack([_image(file, side) for file in files])
    digest = hashlib.sha256(images.numpy().tobytes()).hexdigest()
    return ImageFolder(FolderInfo(path.name, (3, side, side), len(files), digest), images)


def _image(file: Path, side: int) -> Tensor:
    try:
        with Image.open(file) as opened:
            image = (_eight_bits(opened) if opened.mode.startswith("I") else opened).convert("RGB")
    # Pillow says what is wrong with a damaged file in many ways, of a PNG's chunks by a SyntaxError.
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(f"{file} cannot be read as an image: {error}; mend it or take it out") from error
    factor = side / min(image.size)
    size = [max(side, round(length * factor)) for length in image.size]
    image = image.resize((size[0], size[1]), Image.Resampling.BICUBIC)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    image = image.crop((left, top, left + side, top + side))
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return pixels.view(side, side, 3).permute(2, 0, 1).contiguous()


def _eight_bits(image: Image.Image) -> Image.Image:
    """A grey image of 16 bits as one of 8, which Pillow itself would cut off at 255."""
    return image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
