"""The frames of an animated GIF, PNG or WebP, or the pages of a TIFF."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image, ImageSequence
from torch import Tensor

from gandiag.core.errors import HostileFileError, InputError, shown
from gandiag.core.files import MERCY, MOST_RATIO
from gandiag.core.protocols import Source
from gandiag.sources.crawl import uncrawled
from gandiag.sources.decode import FORMATS, GREY, MOST_PIXELS, PNG, quiet_pillow, to_rgb_or_grey
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.frames import frames_source

STARTS = (b"GIF87a", b"GIF89a", PNG, b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*")
VIDEO_IS_LOSSY = "WebP"
MOST_FRAMES = 5_000  # a page of a TIFF takes a millisecond, however small it is


def _recognises(file: File) -> bool:
    return file.head.startswith(STARTS) or (file.head[:4] == b"RIFF" and file.head[8:12] == b"WEBP")


def _open(file: File, options: SourceOptions) -> Source:
    title = shown(file.title)
    try:
        with quiet_pillow(), open(file.path, "rb") as opened, Image.open(uncrawled(opened), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise InputError(f"{title} has {image.width} x {image.height} pixels, and the most are {MOST_PIXELS:,}")
            if not _animated(image):
                raise InputError(f"{title} is one image, and a score is of many; give the folder or archive of them")
            lossy = VIDEO_IS_LOSSY if image.format == "WEBP" and b"VP8L" not in file.head else None
            grey = image.format != "GIF" and image.mode in GREY
            return frames_source(
                _frames(image, grey, title),
                file.title,
                title=title,
                path=file.origin,
                in_order=options.by_name,
                lossy=lossy,
                find_grey=True,
                limit=max(MOST_RATIO * file.path.stat().st_size, MERCY),
            )
    except HostileFileError as error:
        raise HostileFileError(f"{title} is refused: {error}") from error
    except InputError:
        raise
    except Exception as error:  # Pillow raises anything on a damaged file
        raise InputError(f"{title} is a damaged image ({type(error).__name__}: {error})".partition("\n")[0]) from error


def _animated(image: Image.Image) -> bool:
    """Whether there is a second frame; how many there are is not asked, since a TIFF is read to its end for it."""
    try:
        image.seek(1)
    except EOFError:
        return False
    image.seek(0)
    return True


def _frames(image: Image.Image, grey: bool, title: str) -> Iterator[Tensor]:
    for number, frame in enumerate(ImageSequence.Iterator(image)):
        if number == MOST_FRAMES:
            message = f"{title} has more than {MOST_FRAMES:,} frames or pages"
            raise InputError(f"{message}; write them to a folder, a zip or an .npz file")
        yield to_rgb_or_grey(frame, grey)


READER = Reader("an image", _recognises, _open)
