"""Ctrl-C, or a scheduler's request to end, between steps instead of within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Note the first Ctrl-C or SIGTERM instead of stopping at once; the second does as usual.

    Yields a function that tells whether one was noted. Outside the main thread, where signals do not arrive, none is. A
    signal that is ignored, as a shell has its background jobs and `nohup` do, stays so.
    """
    noted = threading.Event()
    found = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in found.items() if handler is not signal.SIG_IGN}
    if threading.current_thread() is not threading.main_thread() or None in before.values():
        yield noted.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, note)
    try:
        yield noted.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
