"""Ctrl-C for commands that a test starts, wherever the tests themselves were started."""

from __future__ import annotations

import signal


def obey_ctrl_c() -> None:
    """For `preexec_fn`: a shell starts what runs in its background with SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
