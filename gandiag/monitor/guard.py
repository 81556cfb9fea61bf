"""A fault of the monitor never stops a run: it becomes one warning, and the part that failed is switched off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gandiag.core.errors import TrainingAlert, shown


class Guard:
    """Runs parts of the monitor, each until its first fault.

    Args:
        say: takes the one line about a part that was switched off.

    Attributes:
        off: part to why it is switched off.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.off: dict[str, str] = {}

    def run(self, part: str, function: Callable[..., Any], *args: Any) -> Any:
        """What the function returns; None where the part is off, or fails now."""
        if part in self.off:
            return None
        try:
            return function(*args)
        except TrainingAlert:
            raise
        except Exception as error:  # whatever it is, the training goes on
            self.off[part] = f"{type(error).__name__}: {error}"
            self._say(
                f"the monitor's {part} failed and are switched off; the training goes on: {shown(self.off[part])}"
            )
            return None
