"""The rows of a benchmark that takes hours, kept beside the code, so that it goes on wherever it was left."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "benchmarks" / "rows"


class Ledger:
    """A file with the row of a run on each line, to which several processes may add.

    A row counts only for the settings that it was run with: one of a recipe that has since been changed is not found.

    Args:
        path: of the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, name: str, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        """The latest row of a run, or None."""
        if not self.path.exists():
            return None
        lines = map(json.loads, self.path.read_text(encoding="utf-8").splitlines())
        wanted = name, fingerprint(settings)
        found: list[dict[str, Any]] = [line["row"] for line in lines if (line["name"], line["settings"]) == wanted]
        return found[-1] if found else None

    def add(self, name: str, settings: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """Put a row at the end."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"name": name, "settings": fingerprint(settings), "row": row}, allow_nan=False)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def write_page(page: Path, text: str, rows: Sequence[object]) -> None:
    """Put a page in the place of the old one, unless there is nothing on it.

    Raises:
        SystemExit: there are no rows.
    """
    if not rows:
        raise SystemExit(f"{page.name} stays as it is: there are no rows of the settings that hold now")
    page.write_text(text, encoding="utf-8")


def fingerprint(settings: Mapping[str, Any]) -> str:
    """Twelve digits that are others if any of the settings is."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:12]
