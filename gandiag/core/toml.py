"""TOML that a stranger may have written."""

from __future__ import annotations

import re
import tomllib
from typing import Any

MOST_BYTES = 2**18  # which people write
MOST_PARTS = 50  # of a key: Python's reader takes the square of their number, in time and memory
WORDS = re.compile(r"[^.\n,=\[\]{}]+")


def parse_toml(text: str) -> dict[str, Any]:
    """What a TOML text holds.

    Raises:
        ValueError: it is no TOML, or nested beyond all use.
    """
    if "a." * MOST_PARTS in WORDS.sub("a", text):
        raise ValueError(f"a key has more than {MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
