"""Images as PNG: one at a time, or many on one sheet."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from gandiag.core.errors import InputError

Pixels = npt.NDArray[np.uint8]
GAP = 2  # pixels between the images of a sheet
QUICK = 3  # of PNG's compression: half the time of the usual 6, a tenth larger


def encode_png(pixels: Tensor | npt.NDArray[Any], *, quick: bool = False) -> bytes:
    """A grey or colour image, uint8 (C, H, W), as PNG: as small as can be, or `quick` for many.

    Raises:
        InputError: it is no image of one or three channels.
    """
    array = _array(pixels)
    if array.ndim != 3 or array.shape[0] not in (1, 3):
        raise InputError(f"an image of shape {array.shape} cannot be shown; grey or colour (C, H, W) can")
    image = Image.fromarray(array[0] if array.shape[0] == 1 else np.ascontiguousarray(array.transpose(1, 2, 0)))
    buffer = io.BytesIO()
    options: dict[str, Any] = {"compress_level": QUICK} if quick else {"optimize": True}
    image.save(buffer, format="PNG", **options)
    return buffer.getvalue()


def encode_sheet(pixels: Tensor | npt.NDArray[Any], columns: int | None = None) -> bytes:
    """Images, uint8 (N, C, H, W), row by row on one PNG; nearly as many columns as rows by default.

    Raises:
        InputError: they are no images of one or three channels.
    """
    array = _array(pixels)
    if array.ndim != 4 or len(array) == 0:
        raise InputError(f"images of shape {array.shape} cannot be shown; (N, C, H, W) can")
    count, channels, height, width = array.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet: Pixels = np.full((channels, rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), 128, dtype=np.uint8)
    for place, image in enumerate(array):
        top, left = place // columns * (height + GAP), place % columns * (width + GAP)
        sheet[:, top : top + height, left : left + width] = image
    return encode_png(sheet)


def _array(pixels: Tensor | npt.NDArray[Any]) -> Pixels:
    return np.asarray(pixels.cpu() if isinstance(pixels, Tensor) else pixels, dtype=np.uint8)
