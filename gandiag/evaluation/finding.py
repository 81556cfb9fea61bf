"""What `gandiag doctor` has to say, one line at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "failed", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: `machine`, `weights`, `data`, `extras` or `self-test`.
        name: what was looked at.
        state: `ok`; `missing`, not here and to be had by the remedy; `failed`, here and not as it must be; `note`,
            neither good nor bad.
        text: what was found.
        remedy: the command or the deed that changes it, or nothing.
    """

    topic: str
    name: str
    state: State
    text: str
    remedy: str = ""
