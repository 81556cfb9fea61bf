"""A function as a sink."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gandiag.core.alert import Alert
from gandiag.core.signals import Record


@dataclass(frozen=True)
class Calls:
    """Calls a function with each alert."""

    function: Callable[[Alert], object]

    def record(self, record: Record) -> None:
        """Nothing."""

    def alert(self, alert: Alert) -> None:
        """Call it."""
        self.function(alert)

    def note(self, step: int, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
