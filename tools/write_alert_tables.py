"""Write each detector's thresholds into its page in docs/alerts, between the two markers, from the dataclass itself.

Run it after a default changed: `python tools/write_alert_tables.py`. A test holds the pages to it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gandiag.core.files import atomic_write
from gandiag.monitor.detectors import DETECTORS

PAGES = Path(__file__).parent.parent / "docs" / "alerts"
BEGIN, END = "<!-- thresholds -->\n", "<!-- end of thresholds -->\n"


def table(kind: str) -> str:
    """The thresholds of a kind as a Markdown table."""
    rows = ["| Threshold | Default | Unit | What it limits | Source |", "| --- | --- | --- | --- | --- |"]
    for field in dataclasses.fields(DETECTORS.load(kind).thresholds):
        about = field.metadata
        rows.append(
            f"| `{field.name}` | {field.default:g} | {about['unit']} | {about['meaning']} | {about['source']} |"
        )
    return "\n".join(rows) + "\n"


def page(kind: str) -> str:
    """The page of a kind with its table as it should be."""
    text = (PAGES / f"{kind}.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(kind)}\n{END}{after}"


if __name__ == "__main__":
    for name in DETECTORS.names():
        text = page(name)
        with atomic_write(PAGES / f"{name}.md") as file:
            file.write_text(text, encoding="utf-8")
