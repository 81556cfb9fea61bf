"""The terminal: one line on stderr for each alert and note, in colour where it is a terminal."""

from __future__ import annotations

import os
import sys

from gandiag.core.alert import Alert
from gandiag.core.errors import UsageError, printable
from gandiag.core.signals import Record
from gandiag.monitor.sinks._text import one_line

COLOURS = {"info": "36", "warning": "33", "critical": "1;31"}
CLEAR_LINE = "\r\x1b[K"  # a progress bar may stand there; it draws itself again


class Console:
    """Writes to whatever `sys.stderr` is at the time. `NO_COLOR` is honoured."""

    def record(self, record: Record) -> None:
        """Nothing: a terminal is no place for signals."""

    def alert(self, alert: Alert) -> None:
        """One line."""
        self._say(f"gandiag: {one_line(alert)}", COLOURS[alert.severity])

    def note(self, step: int, text: str) -> None:
        """One line."""
        self._say(f"gandiag: step {step}: {printable(text)}", None)

    def close(self) -> None:
        """Nothing to let go of."""

    def _say(self, line: str, colour: str | None) -> None:
        stream = sys.stderr
        if stream is None:  # a program without a terminal, as under pythonw
            return
        if stream.isatty():
            coloured = colour is not None and not os.environ.get("NO_COLOR")
            line = CLEAR_LINE + (f"\x1b[{colour}m{line}\x1b[0m" if coloured else line)
        encoding = stream.encoding or "utf-8"
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()


def open_sink(target: str | None) -> Console:
    """`console`."""
    if target is not None:
        raise UsageError(f"the sink console takes no target; write 'console' in place of 'console:{printable(target)}'")
    return Console()


SINK = open_sink
