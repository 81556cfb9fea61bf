"""TensorBoard: each signal as a scalar, alerts and notes as text; `tensorboard:FOLDER`, needs tensorboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gandiag.core.alert import Alert
from gandiag.core.errors import MissingExtraError, UsageError, printable
from gandiag.core.signals import Record
from gandiag.monitor.sinks._text import markdown, tag

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoard:
    """Writes scalars `gandiag/SIGNAL`, and text `gandiag/alerts` and `gandiag/notes`.

    Args:
        writer: an open `SummaryWriter`, such as the user's own.
        owned: whether to close it at the end.
    """

    def __init__(self, writer: SummaryWriter, *, owned: bool = False) -> None:
        self._writer = writer
        self._owned = owned

    def record(self, record: Record) -> None:
        """A scalar for each signal."""
        for name, value in record.signals.items():
            self._writer.add_scalar(tag(name), value, record.step)

    def alert(self, alert: Alert) -> None:
        """Its text, on the disk at once."""
        self._writer.add_text("gandiag/alerts", markdown(alert), alert.step)
        self._writer.flush()

    def note(self, step: int, text: str) -> None:
        """Its text."""
        self._writer.add_text("gandiag/notes", printable(text), step)

    def close(self) -> None:
        """Write what is left."""
        if self._owned:
            self._writer.close()
        else:
            self._writer.flush()


def open_sink(target: str | None) -> TensorBoard:
    """`tensorboard:FOLDER`."""
    if not target:
        raise UsageError("the sink tensorboard needs a folder, as in 'tensorboard:runs/x'")
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("the sink tensorboard", "tensorboard", "tensorboard") from error
    return TensorBoard(SummaryWriter(target), owned=True)


SINK = open_sink
