"""What can go wrong, and the exit code that each kind ends a command with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gandiag.core.alert import Alert


class GandiagError(Exception):
    """Base of every error that gandiag raises on purpose; its text is one clear line for the user."""

    exit_code = 2


class InputError(GandiagError):
    """A file, an array or a network that cannot be used as it is."""


class HostileFileError(InputError):
    """A file that asks for far more time or memory than its size allows; nothing else is tried with it."""


class UsageError(GandiagError):
    """An option or argument that cannot be used as it is."""


class UnknownNameError(UsageError):
    """A name that no registry holds; the message offers the nearest one that exists."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        super().__init__(f"unknown {kind} {shown(name)}{suggestion(name, known)}; known: {', '.join(known) or 'none'}")


class MissingDataError(InputError):
    """Data or weights that are not on this machine; the message says how to get them."""


class MissingExtraError(UsageError):
    """An optional package that is not installed; the message names the extra that brings it."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what} needs {package}, which is not installed; get it by: pip install 'gandiag[{extra}]'")


class TrainingError(GandiagError):
    """A training run that cannot go on, such as one with a non-finite loss."""


class TrainingAlert(GandiagError):
    """An alert that the user asked to be stopped by; `alert` is it."""

    exit_code = 1

    def __init__(self, alert: Alert) -> None:
        self.alert = alert
        super().__init__(f"{alert.kind} at step {alert.step}: {alert.message}")

    def __reduce__(self) -> tuple[type[TrainingAlert], tuple[Alert]]:
        return type(self), (self.alert,)


class InternalError(GandiagError):
    """A fault of gandiag's own: a result that contradicts its theory."""

    exit_code = 3


def suggestion(name: str, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` for a near miss among `known`, else an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f", did you mean {close[0]!r}?" if close else ""


def shown(text: object) -> str:
    """`text` quoted on one line, control characters escaped, for messages that repeat what a stranger wrote."""
    line = repr(str(text))
    return line if len(line) <= 200 else f"{line[:199]}…"


def printable(text: str) -> str:
    """Text with control characters shown, so that no name can move the cursor or colour the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
