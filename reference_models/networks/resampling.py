"""Images made larger and smaller by bicubic interpolation."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def bicubic(images: Tensor, scale: int) -> Tensor:
    """Images (n, C, H, W) as (n, C, scale H, scale W)."""
    return functional.interpolate(images, scale_factor=scale, mode="bicubic", align_corners=False)


def shrunk(images: Tensor, scale: int) -> Tensor:
    """Images (n, C, H, W) in [-1, 1] as (n, C, H / scale, W / scale) without aliasing, as Pillow and MATLAB do."""
    size = [images.shape[-2] // scale, images.shape[-1] // scale]
    return functional.interpolate(images, size=size, mode="bicubic", align_corners=False, antialias=True).clamp(-1, 1)
