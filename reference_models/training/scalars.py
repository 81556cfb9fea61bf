"""Scalars for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from gandiag import UsageError


class Scalars:
    """Writes values under their names; does nothing where it was not asked for.

    Args:
        folder: where the event files go; None for nowhere.
        step: that the run goes on from: what an earlier process wrote beyond it is hidden.

    Raises:
        UsageError: the package tensorboard is not installed.
    """

    def __init__(self, folder: Path | None, step: int = 0) -> None:
        self._writer: Any = None
        if folder is not None:
            self._writer = find_writer()(str(folder), purge_step=step + 1)

    def __enter__(self) -> Scalars:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Write the values of a step."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)


def find_writer() -> Any:
    """TensorBoard's writer.

    Raises:
        UsageError: the package tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        message = "--tensorboard needs tensorboard, which is not installed"
        raise UsageError(f"{message}; get it by: pip install 'gandiag[tensorboard]'") from error
    return SummaryWriter
