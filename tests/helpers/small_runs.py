"""Small data, and reports that watch a run or stop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from gandiag import TrainingProgress


@dataclass(frozen=True)
class Info:
    name: str
    shape: tuple[int, ...]
    size: int | None


class Pictures:
    """`size` images of noise: image i depends on i alone."""

    def __init__(self, size: int | None, channels: int = 1) -> None:
        self.info = Info("pictures", (channels, 28, 28), size)

    def read(self, start: int, stop: int) -> torch.Tensor:
        draws = [torch.Generator().manual_seed(index) for index in range(start, stop)]
        return torch.stack(
            [torch.randint(0, 256, self.info.shape, generator=each, dtype=torch.uint8) for each in draws]
        )

    def labels(self, start: int, stop: int) -> torch.Tensor:
        return torch.arange(start, stop) % 3


def quiet(progress: TrainingProgress) -> None:
    pass


def stop_at(step: int) -> Callable[[TrainingProgress], None]:
    """A report that presses Ctrl-C after a step."""

    def report(progress: TrainingProgress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return report
