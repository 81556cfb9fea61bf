"""From the bytes of an image file to pixels, uint8 (C, H, W): grey or RGB, upright, of 8 bits."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.sources.crawl import uncrawled

Pixels = npt.NDArray[np.uint8]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
MOST_BYTES = 2**28  # of one image file
MOST_PIXELS = 2**26  # of one image
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
PNG = b"\x89PNG\r\n\x1a\n"
GREY = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L"})
TRANSPARENT = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
ORIENTATION = 0x0112  # the tag of EXIF
QUARTER_TURNS = (5, 6, 7, 8)  # orientations that swap height and width
LOSSY_TIFF = frozenset({"jpeg", "tiff_jpeg", "webp"})

# What is lost on the way to grey or RGB of 8 bits, as a warning says it.
LOSSES = {
    "alpha": "have an alpha channel, which is dropped",
    "deep": "have 16 bits a channel, of which the upper 8 are kept",
    "ink": "are in other colours than grey and RGB, such as CMYK, and are converted",
    "frames": "have several frames, of which the first is read",
}


@dataclass(frozen=True)
class Header:
    """What an image is.

    Attributes:
        height, width: of the upright image.
        grey: whether one channel holds all of it.
        losses: keys of LOSSES.
        lossy: the compression that changed its pixels, if one did.
    """

    height: int
    width: int
    grey: bool
    losses: tuple[str, ...] = ()
    lossy: str | None = None


def read_header(content: bytes) -> Header:
    """What an image file says of itself; its pixels are not decoded.

    Raises:
        InputError: with the reason alone: it is no image, too large, or of a kind that has no 8 bits.
    """
    plain = _plain_png(content)
    if plain is not None:
        height, width, channels = plain
        _check_size(width, height)
        return Header(height, width, channels == 1)
    try:
        with _opened(content) as image:
            return _header(image, content)
    except InputError:
        raise
    except Exception as error:  # Pillow raises anything on a damaged file
        raise InputError(f"no image that can be read ({_reason(error)})") from error


def decode(content: bytes, channels: int) -> Pixels:
    """The pixels, uint8 (H, W, channels), or (H, W, 1) of a grey image.

    Raises:
        InputError: with the reason alone: it is damaged.
    """
    try:
        plain = _plain_png(content)
        pixels = _pillow_pixels(content, channels) if plain is None else _png_pixels(content, *plain)
    except Exception as error:  # Pillow raises anything on a damaged file
        raise InputError(f"damaged ({_reason(error)})") from error
    return pixels


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow's warnings of odd files are not shown, and that of an absurd size is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def to_rgb_or_grey(image: Image.Image, grey: bool) -> Tensor:
    """The pixels of an image of Pillow as it stands, uint8 (1, H, W) or (3, H, W)."""
    return torch.from_numpy(_pixels(image, grey)).permute(2, 0, 1)


def _pixels(image: Image.Image, grey: bool) -> Pixels:
    if image.mode.startswith("I"):
        # Pillow's own conversion cuts sixteen bits off at 255.
        deep = np.asarray(image).astype(np.float64)
        image = Image.fromarray((deep / 257).round().clip(0, 255).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    pixels = np.array(image.convert("L" if grey else "RGB"))
    return pixels[..., None] if grey else pixels


def _plain_png(content: bytes) -> tuple[int, int, int] | None:
    """Height, width and channels of the usual PNG: 8 bits, grey or RGB, nothing odd in it; None for others."""
    if content[:8] != PNG or content[12:16] != b"IHDR" or len(content) < 33:
        return None
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", content[16:29])
    if depth != 8 or colour not in (0, 2) or compression or filtering or interlace:
        return None
    before = content[33 : content.find(b"IDAT", 33)]
    if b"tRNS" in before or b"acTL" in before or b"eXIf" in content:
        return None
    return height, width, 1 if colour == 0 else 3


def _png_pixels(content: bytes, height: int, width: int, channels: int) -> Pixels:
    """The same by Pillow's decoder alone: where images are small, most of the time goes into what stands around it."""
    mode = "L" if channels == 1 else "RGB"
    image = Image.frombytes(mode, (width, height), _png_data(content), "zip", mode, 0)
    return np.frombuffer(image.tobytes(), dtype=np.uint8).reshape(height, width, channels)


def _png_data(content: bytes) -> bytes:
    """The compressed pixels, whose checksums fit."""
    parts, at = [], len(PNG)
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        kind, end = content[at + 4 : at + 8], at + 8 + size
        if kind in (b"IHDR", b"IDAT"):
            if zlib.crc32(content[at + 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
                raise ValueError("its checksum does not fit, or it was cut short")
            if kind == b"IDAT":
                parts.append(content[at + 8 : end])
        elif kind == b"IEND":
            return parts[0] if len(parts) == 1 else b"".join(parts)
        at = end + 4
    raise ValueError("it was cut short")


def _pillow_pixels(content: bytes, channels: int) -> Pixels:
    with _opened(content) as image:
        upright = ImageOps.exif_transpose(image) if _orientation(image) != 1 else image
        return _pixels(upright, channels == 1)


def _opened(content: bytes) -> Image.Image:
    if not content:
        raise InputError("empty")
    return Image.open(uncrawled(io.BytesIO(content)), formats=FORMATS)


def _header(image: Image.Image, content: bytes) -> Header:
    width, height = _stored_size(image)
    _check_size(width, height)
    if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):
        raise InputError("of 32 bits a channel; save it with 8 or 16")
    if _orientation(image) in QUARTER_TURNS:
        width, height = height, width
    return Header(height, width, image.mode in GREY, tuple(_losses(image, content)), _compression(image, content))


def _losses(image: Image.Image, content: bytes) -> Iterator[str]:
    if image.mode in TRANSPARENT or "transparency" in image.info:
        yield "alpha"
    deep_png = content[:8] == PNG and content[24:25] == b"\x10"
    if image.mode.startswith("I") or deep_png or (image.format == "TIFF" and 16 in _bits(image)):
        yield "deep"
    if image.mode not in GREY | TRANSPARENT | {"P", "RGB", "RGBX"}:
        yield "ink"
    if getattr(image, "is_animated", False):
        yield "frames"


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Width and height before it is turned upright: of a TIFF, newer versions of Pillow say those after."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(256, image.size[0]), tags.get(257, image.size[1])


def _bits(image: Image.Image) -> tuple[int, ...]:
    tags = getattr(image, "tag_v2", {})
    return tuple(tags.get(258, ()))


def _compression(image: Image.Image, content: bytes) -> str | None:
    if image.format in ("JPEG", "MPO"):
        return "JPEG"
    if image.format == "WEBP":
        # A file of WebP is lossless where its picture is in a chunk VP8L.
        return None if b"VP8L" in content[:4096] else "WebP"
    if image.format == "TIFF" and image.info.get("compression") in LOSSY_TIFF:
        return "JPEG"
    return None


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF data turns nothing
        return 1


def _check_size(width: int, height: int) -> None:
    if not 0 < width * height <= MOST_PIXELS:
        raise InputError(f"of {width} x {height} pixels, and the most are {MOST_PIXELS:,}")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # whose text shows our own object
        return "of no format that Pillow knows"
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__
