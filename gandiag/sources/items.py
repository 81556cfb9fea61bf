"""A Python dataset as a source: map-style, iterable, or any iterator of images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from gandiag.core.errors import InputError
from gandiag.sources.arrays import ArraySource, as_tensor
from gandiag.sources.frames import frames_source
from gandiag.sources.spool import LIMIT

IMAGES = ("image", "img", "images", "pixel_values", "png", "jpg", "x")
LABELS = ("label", "labels", "fine_label", "class", "cls", "target", "y")


def items_source(dataset: Any, *, in_order: bool = False, limit: int = LIMIT) -> ArraySource:
    """All items of a dataset, which are images, tuples of an image and a class, or dicts of both.

    Args:
        dataset: has a length and items by index, or is iterable.
        in_order: keep the order of the items, which are shuffled by a fixed rule otherwise.
        limit: bytes of all samples; an endless iterator ends there, in an error.

    Raises:
        InputError: there are no items, or they are no images of one size.
    """
    name = type(dataset).__name__
    classes: list[int] = []
    return frames_source(
        _samples(dataset, name, classes), name, title=name, in_order=in_order, classes=classes, limit=limit
    )


def _samples(dataset: Any, name: str, classes: list[int]) -> Iterator[Tensor]:
    items: Iterable[Any] = dataset
    by_index = hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    if by_index and not isinstance(dataset, IterableDataset):  # which inherits an index that it does not have
        items = (dataset[index] for index in range(len(dataset)))
    channels: int | None = None
    for number, item in enumerate(items):
        image, label = _parts(item, name)
        pixels = _pixels(image, name)
        if pixels.ndim == 3 and channels not in (None, len(pixels)):
            raise InputError(f"{name} holds images of {channels} and of {len(pixels)} channels; convert all to RGB")
        channels = len(pixels) if pixels.ndim == 3 else None
        yield pixels
        if label is not None and len(classes) == number:
            classes.append(label)
        elif classes:
            raise InputError(f"item {number} of {name} has no class, and those before it have one")


def _parts(item: Any, name: str) -> tuple[Any, int | None]:
    if isinstance(item, dict):
        image = next((item[key] for key in IMAGES if key in item), None)
        if image is None:
            raise InputError(f"the items of {name} are dicts without an image; name it one of {', '.join(IMAGES)}")
        return image, _class(next((item[key] for key in LABELS if key in item), None))
    if isinstance(item, tuple | list) and item:
        return item[0], _class(item[1]) if len(item) > 1 else None
    return item, None


def _class(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    whole = getattr(value, "dtype", None) is not None and getattr(value, "ndim", 1) == 0
    return int(value) if whole and float(value).is_integer() else None


def _pixels(image: Any, name: str) -> Tensor:
    """An image of Pillow, an array or a tensor as uint8 (C, H, W); a point as float32 (d,)."""
    if hasattr(image, "convert") and hasattr(image, "getbands"):
        from gandiag.sources.decode import GREY, to_rgb_or_grey

        if image.mode in ("I", "F"):
            raise InputError(f"{name} holds images of mode {image.mode}, whose white is not known; convert them to L")
        return to_rgb_or_grey(image, image.mode in GREY)
    values = image.detach().cpu() if isinstance(image, Tensor) else as_tensor(np.asarray(image), name)
    if values.ndim == 1:
        return values.float()
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3:
        raise InputError(
            f"the items of {name} have the shape {tuple(values.shape)}, expected (C, H, W), (H, W) or (d,)"
        )
    if values.shape[0] not in (1, 2, 3, 4) and values.shape[2] in (1, 3, 4):
        values = values.permute(2, 0, 1)
    if values.dtype == torch.uint8:
        return values
    if not bool(torch.isfinite(values).all()):
        raise InputError(f"{name} holds NaN or infinite values")
    smallest, largest = float(values.min()), float(values.max())
    if not values.is_floating_point() or smallest < 0 or largest > 1:
        found = f"{values.dtype} images with values from {smallest:.3g} to {largest:.3g}"
        raise InputError(f"{name} holds {found}; give uint8 from 0 to 255, or floats from 0 to 1")
    return (values.float() * 255).round().to(torch.uint8)
