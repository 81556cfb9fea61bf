"""Reading TOML tables key by key, so that a wrong type or an unknown key is told where it stands."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from gandiag import UnknownNameError, UsageError

MOST_BYTES = 2**18  # which a person writes
MOST_PARTS = 50  # of a key: Python's reader takes the square of their number, in time and memory
MOST = 10**9  # of anything that is counted
WORDS = re.compile(r"[^.\n,=\[\]{}]+")


class Table:
    """One table, from which keys are taken; `close` refuses what nobody took.

    Args:
        values: the table.
        where: what to call it in messages, such as `recipe dcgan, [generator]`.
    """

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.where = where
        self._values = values
        self._taken: set[str] = set()

    def text(self, key: str, default: str | None = None) -> str:
        """The text under a key."""
        value = self._take(key, default)
        return value if isinstance(value, str) else self._refuse(key, value, "a text")

    def choice(self, key: str, known: Sequence[str], default: str) -> str:
        """The text under a key, which is one of `known`."""
        value = self._take(key, default)
        return str(value) if value in known else self._refuse(key, value, f"one of {', '.join(known)}")

    def flag(self, key: str, default: bool) -> bool:
        """True or false under a key."""
        value = self._take(key, default)
        return value if isinstance(value, bool) else self._refuse(key, value, "true or false")

    def whole(self, key: str, default: int | None = None, least: int = 1, most: int = MOST) -> int:
        """The whole number from `least` to `most` under a key."""
        value = self._take(key, default)
        fine = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        limits = f"at least {least} and at most {most:,}"
        return int(value) if fine else self._refuse(key, value, f"a whole number of {limits}")

    def number(self, key: str, default: float | None = None, low: float = 0.0, high: float = math.inf) -> float:
        """The finite number from `low` to `high` under a key."""
        value = self._take(key, default)
        bounds = f"of at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        return float(value) if within(value, low, high) else self._refuse(key, value, f"a number {bounds}")

    def pair(self, key: str, default: tuple[float, float]) -> tuple[float, float]:
        """The two numbers in [0, 1) under a key."""
        value = self._take(key, list(default))
        fine = isinstance(value, list) and len(value) == 2
        if not fine or not all(within(each, 0, 1) and each < 1 for each in value):
            self._refuse(key, value, "two numbers from 0 to below 1")
        return float(value[0]), float(value[1])

    def table(self, key: str) -> Table:
        """The table under a key; an empty one where there is none."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            self._refuse(key, value, "a table")
        return Table(value, f"{self.where}, [{key}]")

    def tables(self) -> dict[str, Table]:
        """All keys of a table of tables."""
        return {key: self.table(key) for key in self._values}

    def plain(self) -> dict[str, Any]:
        """The table as it is, with whatever keys it has."""
        self._taken.update(self._values)
        return dict(self._values)

    def close(self) -> None:
        """Refuse keys that nobody took.

        Raises:
            UnknownNameError: there is one; the message offers the nearest that exists.
        """
        self.expect(self._taken)

    def expect(self, known: Collection[str]) -> None:
        """Refuse keys that are none of those.

        Raises:
            UnknownNameError: there is one; the message offers the nearest that exists.
        """
        for key in self._values:
            if key not in known:
                raise UnknownNameError(f"key in {self.where}:", key, known)

    def _take(self, key: str, default: object) -> Any:
        self._taken.add(key)
        value = self._values.get(key, default)
        if value is None:
            others = [other for other in self._values if other not in self._taken]
            misspelt = difflib.get_close_matches(key, others, n=1)
            remedy = f"add it, or correct {misspelt[0]!r}" if misspelt else "add it"
            raise UsageError(f"{self.where}: {key} is missing; {remedy}")
        return value

    def _refuse(self, key: str, value: object, expected: str) -> Any:
        raise UsageError(f"{self.where}: {key} is {shortened(value)}, expected {expected}")


def within(value: object, low: float = -math.inf, high: float = math.inf) -> bool:
    """Whether it is a finite number, small enough for floating point, from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value) and low <= value <= high
    except OverflowError:
        return False


def shortened(value: object) -> str:
    """A value in a message."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of thousands of digits
        return "a huge number"
    return text if len(text) <= 80 else f"{text[:77]}..."


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        UsageError: it is not TOML.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
        return parse_toml(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not valid TOML: {error}; correct it") from error


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


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `overrides` in place of its values, table by table."""
    merged = dict(base)
    for key, value in overrides.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
