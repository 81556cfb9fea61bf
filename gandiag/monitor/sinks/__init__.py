"""Where records and alerts go; one file each, and its stem is the sink's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

from gandiag.core.alert import Alert
from gandiag.core.errors import UsageError, shown
from gandiag.core.registry import Registry
from gandiag.core.signals import Record
from gandiag.monitor.sinks._callable import Calls


@runtime_checkable
class Sink(Protocol):
    """Takes what a run gives. What it raises becomes one warning, and the sink is left out from then on."""

    def record(self, record: Record) -> None:
        """The signals of a window."""

    def alert(self, alert: Alert) -> None:
        """An alert, once."""

    def note(self, step: int, text: str) -> None:
        """Something that the user should know once, such as a rule that has no signals."""

    def close(self) -> None:
        """Write what is left and let go."""


PARTS = "record, alert, note and close"
# Each module's SINK is a class or function that makes the sink: `SINK(target: str | None) -> Sink`, where the target
# is the text behind the colon of `sinks=["tensorboard:runs/x"]`, or None.
SINKS: Registry[Any] = Registry("sink", "gandiag.sinks", "SINK", package="gandiag.monitor.sinks")


def open_sinks(sinks: Iterable[str | Sink | Callable[[Alert], object]]) -> list[Sink]:
    """Open sinks: `NAME` or `NAME:TARGET`, a Sink as it is, or a function that takes an alert.

    Raises:
        UnknownNameError: no sink has that name.
        UsageError: it is none of these, or the target cannot be used. Sinks that were opened before are closed.
        MissingExtraError: the sink's package is not installed.
    """
    if isinstance(sinks, str):
        raise UsageError(f"sinks must be a list, got the text {shown(sinks)}; write sinks=[{shown(sinks)}]")
    opened: list[Sink] = []
    owned: list[Sink] = []
    try:
        for sink in sinks:
            if isinstance(sink, str):
                name, _, target = sink.partition(":")
                owned.append(SINKS.load(name)(target or None))
                opened.append(owned[-1])
            elif isinstance(sink, Sink) and not isinstance(sink, type):
                opened.append(sink)
            elif callable(sink) and not isinstance(sink, type):
                opened.append(Calls(sink))
            else:
                raise UsageError(f"{shown(sink)} is no sink: expected a name, a function or an object with {PARTS}")
    except BaseException:
        for sink in owned:
            sink.close()
        raise
    return opened
