"""The sinks of a run; one that fails is left out from then on, with one warning."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable

from gandiag.core.alert import Alert
from gandiag.core.errors import shown
from gandiag.core.signals import Record
from gandiag.monitor.sinks import Sink


class Outbox:
    """Hands records, alerts and notes to all sinks."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self.sinks = list(sinks)

    def record(self, record: Record) -> None:
        """The signals of a window."""
        self._each(lambda sink: sink.record(record))

    def alert(self, alert: Alert) -> None:
        """An alert, once."""
        self._each(lambda sink: sink.alert(alert))

    def note(self, step: int, text: str) -> None:
        """Something that the user should know once."""
        self._each(lambda sink: sink.note(step, text))

    def close(self) -> None:
        """Close all sinks."""
        self._each(lambda sink: sink.close())
        self.sinks.clear()

    def _each(self, call: Callable[[Sink], None]) -> None:
        for sink in list(self.sinks):
            try:
                call(sink)
            except Exception as error:  # the training goes on
                self.sinks.remove(sink)
                warn(f"the sink {type(sink).__name__} failed and is left out: {shown(error)}")


def warn(text: str) -> None:
    """A warning that never stops a run, even where warnings are errors."""
    try:
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    except RuntimeWarning:
        logging.getLogger("gandiag").warning(text)
