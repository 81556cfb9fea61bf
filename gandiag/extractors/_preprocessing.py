"""The named ways from an image to a network's input: each is what the tool that it is named for does.

Which one is used moves a FID by more than most models differ (arXiv 2104.11222), so its name is part of the protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from gandiag.core.errors import InputError, UsageError, shown, suggestion


@dataclass(frozen=True)
class Preprocessing:
    """A way to resize images for a network.

    Attributes:
        name: that options, Results and fingerprints give it.
        resize: from float32 images (n, 3, H, W) with values 0 to 255 to (n, 3, size, size), float32.
        white: what 255 is in the result.
        centred: from the result to about -1 to 1, as its owner's Inception takes it.
    """

    name: str
    resize: Callable[[Tensor, int], Tensor]
    white: float
    centred: Callable[[Tensor], Tensor]


def colour_images(samples: Tensor, extractor: str) -> Tensor:
    """Images (n, 3, H, W), grey ones repeated; raises InputError for samples that are no grey or colour images."""
    if samples.ndim != 4 or samples.shape[1] not in (1, 3):
        message = f"the extractor {extractor} takes grey or colour images, not samples {tuple(samples.shape[1:])}"
        raise InputError(f"{message}; choose another with --extractor, such as pixels")
    return samples.expand(-1, 3, -1, -1)


def find_preprocessing(name: str) -> Preprocessing:
    """The preprocessing of that name; raises UsageError for one that is not known."""
    if name not in PREPROCESSING:
        known = ", ".join(PREPROCESSING)
        message = f"unknown preprocessing {shown(name)}{suggestion(name, PREPROCESSING)}; known: {known}"
        raise UsageError(message)
    return PREPROCESSING[name]


def tf1(images: Tensor, size: int) -> Tensor:
    """Bilinear as in TensorFlow 1: pixels are corners, nothing is averaged. torch-fidelity's and NVIDIA's."""
    low, high, between = _corners(images.shape[3], size, images.device)
    left = images.index_select(3, low)
    rows = (images.index_select(3, high) - left).mul_(between).add_(left)
    low, high, between = _corners(images.shape[2], size, images.device)
    above = rows.index_select(2, low)
    return (rows.index_select(2, high) - above).mul_(between[:, None]).add_(above)


def pytorch_fid(images: Tensor, size: int) -> Tensor:
    """Bilinear between pixel centres on values from 0 to 1, nothing is averaged. pytorch-fid's."""
    return functional.interpolate(images / 255, (size, size), mode="bilinear", align_corners=False)


def clean(images: Tensor, size: int) -> Tensor:
    """Pillow's bicubic, which averages when it shrinks, on float channels; clipped, not rounded. clean-fid's."""
    device = images.device
    planes = list(images.cpu().flatten(0, 1).numpy())

    def resized(plane: np.ndarray) -> np.ndarray:
        image = Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC)
        return np.asarray(image).clip(0, 255)

    # Pillow lets go of the interpreter's lock while it resizes.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        found = np.stack(list(pool.map(resized, planes)))
    return torch.from_numpy(found).reshape(len(images), 3, size, size).to(device)


def antialias(images: Tensor, size: int) -> Tensor:
    """Bilinear between pixel centres, which averages when it shrinks. torchmetrics' since 1.8."""
    return functional.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=True)


def bicubic(images: Tensor, size: int) -> Tensor:
    """Bicubic between pixel centres, which averages when it shrinks; not clipped. EDM2's for DINOv2."""
    return functional.interpolate(images, (size, size), mode="bicubic", align_corners=False, antialias=True)


def _corners(old: int, new: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Index of the two pixels that each new one lies between, and how far from the first."""
    # The scale is rounded to float32 before it is multiplied, as TensorFlow's is.
    place = torch.arange(new, dtype=torch.float32, device=device) * torch.tensor(old / new, dtype=torch.float32)
    low = place.long()
    return low, (low + 1).clamp_max(old - 1), place - low


def _around_128(images: Tensor) -> Tensor:
    return images.sub(128).div_(128)


def _doubled(images: Tensor) -> Tensor:
    return 2 * images - 1


PREPROCESSING = {
    "tf1": Preprocessing("tf1", tf1, 255.0, _around_128),
    "pytorch-fid": Preprocessing("pytorch-fid", pytorch_fid, 1.0, _doubled),
    "clean": Preprocessing("clean", clean, 255.0, _around_128),
    "antialias": Preprocessing("antialias", antialias, 255.0, _around_128),
    "bicubic": Preprocessing("bicubic", bicubic, 255.0, _around_128),
}
