"""What an image-to-image model is fed in place of noise: image i of a source, in the values that the model takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from gandiag.core.errors import InputError, shown
from gandiag.core.protocols import ImageSpec, Source

PIXELS = 2**20  # of the images that a model is given or gives together: its layers hold many numbers for each
ADVICE = "a generator of noise takes no --inputs"


@dataclass(frozen=True)
class Inputs:
    """The inputs of all samples.

    Attributes:
        source: the images, in the order of the samples.
        image: shape and range of one as the model takes it.
    """

    source: Source
    image: ImageSpec

    @property
    def size(self) -> int | None:
        """How many there are; None for as many as asked."""
        return self.source.info.size

    def draw(self, seed: int, stream: str, start: int, stop: int) -> Tensor:
        """The inputs of samples `start` to `stop`, float32 (n, C, H, W); nothing is drawn by chance."""
        return self.encoded(self.source.read(start, stop))

    def shaped(self, images: Tensor) -> Tensor:
        """Inputs in the shape that the model takes, which they have."""
        return images

    def encoded(self, images: Tensor) -> Tensor:
        """Images uint8 (n, C, H, W) as the model takes them; grey ones are repeated for each of its channels."""
        low, high = self.image.range or (0.0, 255.0)
        channels = self.image.shape[0]
        if images.shape[1] == 1 < channels:
            images = images.expand(-1, channels, -1, -1)
        return images.to(torch.float32) * ((high - low) / 255) + low

    def together(self, count: int, shape: tuple[int, ...]) -> int:
        """How many of `count` samples of this shape are made at a time."""
        pixels = max(prod(self.image.shape[-2:]), prod(shape[-2:]))
        return max(1, min(count, PIXELS // pixels))

    def describe(self) -> dict[str, Any]:
        """For the Result."""
        return {
            "shape": list(self.image.shape),
            "range": list(self.image.range or ()),
            "sha256": self.source.info.sha256,
        }


def shapes_of(source: Source) -> tuple[tuple[int, ...], ...]:
    """Shapes in which the images of a source can be given without loss: their own; of grey ones, that of RGB too.

    Raises:
        InputError: it holds points.
    """
    shape = source.info.shape
    if len(shape) != 3:
        raise InputError(f"--inputs takes images, and {shown(source.info.name)} holds points of shape {shape}")
    return (shape, (3, *shape[1:])) if shape[0] == 1 else (shape,)


def fitted_inputs(source: Source, image: ImageSpec, title: str) -> Inputs:
    """The images of a source for a model that says what it takes.

    Raises:
        InputError: they have another shape.
    """
    if image.shape not in shapes_of(source):
        message = f"{title} takes images of the shape {image.shape}"
        message = f"{message}, and those of {shown(source.info.name)} are {source.info.shape}"
        raise InputError(f"{message}; resize or crop them as the model was trained")
    return Inputs(source, image)


def notes_of(inputs: Inputs, title: str) -> list[str]:
    """What was done to the images."""
    if inputs.source.info.shape == inputs.image.shape:
        return []
    return [f"the inputs {inputs.source.info.name} are grey: {title} is given them as RGB, its three channels alike"]
