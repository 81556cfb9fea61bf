"""Threads that run a stranger's program and could not be stopped; they end with the process."""

from __future__ import annotations

import threading

WATCHED = "gandiag-watched"  # their name


def abandoned() -> bool:
    """Whether there is one, so that the process cannot end in order."""
    return any(thread.name == WATCHED for thread in threading.enumerate())
