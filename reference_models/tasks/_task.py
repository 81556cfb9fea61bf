"""What a task is: which images go in, which come out, and what is asked of them besides fooling a discriminator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag import UsageError
from reference_models.tables import shortened, within
from reference_models.training.data import Data

Network = Callable[[Tensor], Tensor]
Networks = Mapping[str, Network]  # by direction


@dataclass(frozen=True)
class Side:
    """A batch of one direction: images in [-1, 1].

    Attributes:
        input: what its generator is given.
        real: images such as the generator should make; not those of this input where the task is unpaired.
    """

    input: Tensor
    real: Tensor


@dataclass(frozen=True)
class Shapes:
    """Shapes of one image that a generator is given and makes."""

    input: tuple[int, ...]
    output: tuple[int, ...]


@dataclass(frozen=True)
class Finding:
    """A score of a task, and whether `higher` or `lower` is better; None for a yardstick beside others."""

    value: float
    better: str | None


class Task:
    """One kind of image-to-image model. The arguments of `__init__` are the keys of the recipe's table `task`.

    Attributes:
        directions: a generator and a discriminator each; the first one's generator is the run's checkpoint.
        adversarial_weight: of the adversarial losses in the generators' loss.
        pairs_of_folders: whether it can learn from two folders of images, made `size` pixels wide and high.
    """

    directions: tuple[str, ...] = ("there",)
    adversarial_weight: float = 1.0
    pairs_of_folders = False
    size = 0

    def begin(self, data: Data, device: torch.device) -> Mapping[str, Shapes]:
        """Learn what the data are like; the shapes of each direction.

        Raises:
            UsageError: the task makes no sense there.
        """
        raise NotImplementedError

    def streams(self, data: Data) -> Mapping[str, Data]:
        """The data that batches are drawn from, each by itself."""
        raise NotImplementedError

    def sides(self, batches: Mapping[str, Tensor]) -> dict[str, Side]:
        """The directions' batches of a batch (n, C, H, W) of each stream, in [-1, 1]."""
        raise NotImplementedError

    def generator_config(self) -> dict[str, object]:
        """Arguments of the generators' `build` that the task decides, for a `build` that asks for them."""
        return {}

    def losses(self, generators: Networks, sides: Mapping[str, Side], made: Mapping[str, Tensor]) -> Tensor:
        """What is asked of the generators besides fooling, of the images made of the batch: a scalar."""
        raise NotImplementedError

    def scores(self, generators: Networks, data: Data, count: int) -> dict[str, Finding]:
        """How good they are on the first `count` samples of data; the first score decides which checkpoint is best."""
        raise NotImplementedError

    def preview(self, generators: Networks, data: Data, count: int) -> list[list[Tensor]]:
        """Rows of images (n, C, H, W) of one size, each with the same columns, to be looked at."""
        raise NotImplementedError


def number(task: str, key: str, value: float) -> float:
    """`value` if it is a finite number of at least 0.

    Raises:
        UsageError: it is not.
    """
    if not within(value, 0):
        raise UsageError(f"task {task}: {key} is {shortened(value)}, expected a number of at least 0")
    return float(value)


def whole(task: str, key: str, value: int, least: int, most: int, multiple: int) -> int:
    """`value` if it is a whole number from `least` to `most` that `multiple` divides.

    Raises:
        UsageError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most or value % multiple:
        message = f"task {task}: {key} is {shortened(value)}, expected a multiple of {multiple} from {least} to {most}"
        raise UsageError(message)
    return value


def text(task: str, key: str, value: str | None) -> str | None:
    """`value` if it is a text, or None for none.

    Raises:
        UsageError: it is not.
    """
    if value is not None and not isinstance(value, str):
        raise UsageError(f"task {task}: {key} is {shortened(value)}, expected a text")
    return value


def choice(task: str, key: str, value: object, known: tuple[object, ...]) -> None:
    """Refuse a value that is not one of `known`, of the same kind.

    Raises:
        UsageError: it is not.
    """
    if not any(value == each and type(value) is type(each) for each in known):
        raise UsageError(f"task {task}: {key} is {shortened(value)}, expected one of {', '.join(map(str, known))}")


def images_of(data: Data, task: str) -> tuple[int, int, int]:
    """The shape of the images of a dataset.

    Raises:
        UsageError: it has points.
    """
    if len(data.info.shape) != 3:
        raise UsageError(f"task {task} takes images, and {data.info.name} has points; choose another --dataset")
    channels, height, width = data.info.shape
    return channels, height, width
