"""The frames of a video."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from gandiag.core.errors import InputError, MissingExtraError, shown
from gandiag.core.protocols import Source
from gandiag.sources.decode import MOST_PIXELS
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.frames import frames_source

MATROSKA = b"\x1a\x45\xdf\xa3"
LOSSLESS = ("ffv1", "png", "rawvideo", "huffyuv", "utvideo", "qtrle")
NEIGHBOURS = "frames of a video resemble their neighbours: the error bars of {name} take them for independent"


def _container(file: File) -> str | None:
    """Ffmpeg's name of the container. It is named and not guessed: some kinds make ffmpeg read other files."""
    if file.head[4:8] == b"ftyp":
        return "mp4"
    if file.head.startswith(MATROSKA):
        return "matroska"
    return "avi" if file.head[:4] == b"RIFF" and file.head[8:12] == b"AVI " else None


def _open(file: File, options: SourceOptions) -> Source:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(f"reading {shown(file.path)}", "av", "video") from error
    title = shown(file.title)
    try:
        # From the root on, since ffmpeg takes what stands before a colon for a protocol.
        with av.open(str(file.path.absolute()), format=_container(file)) as container:
            if not container.streams.video:
                raise InputError(f"{title} holds no video")
            stream = container.streams.video[0]
            codec = stream.codec_context.name
            return frames_source(
                _frames(container, title),
                file.title,
                title=title,
                path=file.origin,
                in_order=options.by_name,
                lossy=None if codec in LOSSLESS else codec,
                find_grey=True,
                warnings=[NEIGHBOURS.format(name=file.title)],
            )
    except InputError:
        raise
    except Exception as error:  # a damaged file may fail in any way
        reason = str(error).partition("\n")[0]
        raise InputError(f"{title} is a damaged video, or one that was cut short ({reason})") from error


def _frames(container: Any, title: str) -> Iterator[Tensor]:
    for frame in container.decode(video=0):
        if frame.width * frame.height > MOST_PIXELS:
            raise InputError(f"{title} has {frame.width} x {frame.height} pixels, and the most are {MOST_PIXELS:,}")
        yield torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1)


READER = Reader("a video", lambda file: _container(file) is not None, _open)
