"""Python's logging: alerts and notes to the logger "gandiag", by their severity; records as debug messages."""

from __future__ import annotations

import logging

from gandiag.core.alert import Alert
from gandiag.core.errors import printable
from gandiag.core.signals import Record
from gandiag.monitor.sinks._text import one_line

LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.CRITICAL}


class Logging:
    """Logs to a logger; the alert itself is the log record's attribute `alert`, for handlers that want more."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def record(self, record: Record) -> None:
        """All signals at level DEBUG."""
        if self._logger.isEnabledFor(logging.DEBUG):
            signals = " ".join(f"{name}={value:.6g}" for name, value in record.signals.items())
            self._logger.debug("step %d: %s", record.step, printable(signals))

    def alert(self, alert: Alert) -> None:
        """At level INFO, WARNING or CRITICAL."""
        self._logger.log(LEVELS[alert.severity], "%s", one_line(alert), extra={"alert": alert})

    def note(self, step: int, text: str) -> None:
        """At level INFO."""
        self._logger.info("step %d: %s", step, printable(text))

    def close(self) -> None:
        """Nothing to let go of: the handlers are the user's."""


def open_sink(target: str | None) -> Logging:
    """`logging`, or `logging:NAME` for another logger."""
    return Logging(logging.getLogger(target or "gandiag"))


SINK = open_sink
