"""A verdict as Markdown, for a pull request or the summary of a CI job."""

from __future__ import annotations

import os
import re
from pathlib import Path

from gandiag.core.errors import InputError, printable, shown
from gandiag.gates.text import advice, headline, looks, shown_interval, shown_value, shown_verdict
from gandiag.gates.verdict import Verdict

MARKS = {"passed": "✅", "failed": "❌", "inconclusive": "❔"}
SUMMARY = "GITHUB_STEP_SUMMARY"


def to_markdown(verdict: Verdict) -> str:
    """A heading, a table with one row a gate, and what to do; no name in it can be anything but text."""
    lines = [
        f"### {MARKS[verdict.status]} {escaped(headline(verdict))}",
        "",
        "| gate | verdict | value | interval | N | why |",
        "| --- | --- | ---: | --- | ---: | --- |",
    ]
    for outcome in verdict.outcomes:
        cells = (
            outcome.gate,
            f"{MARKS[outcome.verdict]} {shown_verdict(outcome)}",
            shown_value(outcome),
            shown_interval(outcome),
            "" if outcome.samples is None else f"{outcome.samples:,}",
            outcome.reason,
        )
        lines.append(f"| {' | '.join(escaped(cell) for cell in cells)} |")
    said = [looks(verdict), advice(verdict), *(f"warning: {warning}" for warning in verdict.warnings)]
    lines += ["", *(f"- {escaped(text)}" for text in said if text)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text in which Markdown and HTML see nothing but text, on one line."""
    marked = re.sub(r"([\\`*_{}\[\]()+!|~$])", r"\\\1", printable(text))
    plain = marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # An empty comment keeps GitHub from calling a person or linking an issue.
    return re.sub(r"(?<!\w)([@#])(?=\w)", r"\1<!-- -->", plain)


def append_summary(verdict: Verdict) -> Path | None:
    """Add the Markdown to the file that `$GITHUB_STEP_SUMMARY` names; None where it names none.

    Raises:
        InputError: the file cannot be written.
    """
    name = os.environ.get(SUMMARY)
    if not name:
        return None
    try:
        with open(name, "a", encoding="utf-8") as file:
            file.write(to_markdown(verdict) + "\n")
    except OSError as error:
        raise InputError(f"cannot write ${SUMMARY} {shown(name)}: {error.strerror or error}") from error
    return Path(name)
