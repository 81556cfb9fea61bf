"""Pictures of what a generator makes, to look at while it trains."""

from __future__ import annotations

from math import ceil, sqrt
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from reference_models.training.files import written_whole

BORDER = 2  # pixels between images
SCATTER = 256  # side of a picture of points


def save_grid(path: Path, images: Tensor, columns: int | None = None) -> None:
    """Images (n, C, H, W) in [-1, 1], C being 1 or 3, row by row as a grid in one PNG: square unless told otherwise."""
    count, channels, height, width = images.shape
    columns = columns or ceil(sqrt(count))
    rows = ceil(count / columns)
    sides = rows * (height + BORDER) + BORDER, columns * (width + BORDER) + BORDER
    sheet = torch.zeros(channels, *sides, dtype=torch.uint8)
    for index, image in enumerate(_bytes(images)):
        row, column = divmod(index, columns)
        top, left = BORDER + row * (height + BORDER), BORDER + column * (width + BORDER)
        sheet[:, top : top + height, left : left + width] = image
    _save(path, sheet)


def save_scatter(path: Path, real: Tensor, fake: Tensor) -> None:
    """The first two coordinates of points (n, d) in one PNG: real ones grey, generated ones red on top."""
    low, high = real[:, :2].amin(0), real[:, :2].amax(0)
    margin = 0.1 * (high - low) + 1e-6
    low, high = low - margin, high + margin
    sheet = torch.full((3, SCATTER, SCATTER), 255, dtype=torch.uint8)
    for points, colour in ((real, (190, 190, 190)), (fake, (200, 30, 30))):
        places = ((points[:, :2] - low) / (high - low) * SCATTER).floor()
        inside = ((places >= 0) & (places < SCATTER)).all(1)  # false for what is not a number
        columns, rows = places[inside].long().T
        sheet[:, SCATTER - 1 - rows, columns] = torch.tensor(colour, dtype=torch.uint8).unsqueeze(1)
    _save(path, sheet)


def _bytes(images: Tensor) -> Tensor:
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu()


def _save(path: Path, sheet: Tensor) -> None:
    pixels = sheet[0] if len(sheet) == 1 else sheet.permute(1, 2, 0)
    with written_whole(path) as temporary:
        Image.fromarray(pixels.contiguous().numpy()).save(temporary, format="PNG")
