"""Hooks that are safe to leave in a network: compiled code steps out of them, and copies of the network lose them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch

# Takes anything and does nothing. It comes from the standard library, so that a network that was pickled with its
# hooks loads where gandiag is not installed.
_NOTHING = contextlib.nullcontext().__exit__


class Hook:
    """Calls a function that returns None.

    A deep copy of a watched network (an EMA copy, say) and a pickled one get a hook that does nothing.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self._function: Callable[..., None] = torch.compiler.disable(function)  # type: ignore[no-untyped-call]

    def __call__(self, *args: Any) -> None:
        self._function(*args)

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., None]:
        return _NOTHING

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (contextlib.nullcontext(), "__exit__")


class Removable:
    """Handles of hooks, taken out together."""

    def __init__(self) -> None:
        self._handles: list[Any] = []

    def add(self, handle: Any) -> None:
        """Keep a handle."""
        self._handles.append(handle)

    def remove(self) -> None:
        """Take all hooks out."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
