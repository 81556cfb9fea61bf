"""The words that every form of a verdict shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gandiag.core.errors import printable
from gandiag.gates.verdict import Outcome, Verdict


def number(value: float | None) -> str:
    """A number to five digits; an empty string for none."""
    return "" if value is None else f"{value:.5g}"


def shown_value(outcome: Outcome) -> str:
    """The value, and for a regression the baseline's."""
    if outcome.baseline is None:
        return number(outcome.value)
    return f"{number(outcome.value)} after {number(outcome.baseline)}"


def shown_interval(outcome: Outcome) -> str:
    """The interval, of the difference for a regression."""
    if outcome.interval is None:
        return ""
    text = f"{number(outcome.interval[0])} to {number(outcome.interval[1])}"
    return f"worse by {text}" if outcome.kind == "regression" else text


def shown_verdict(outcome: Outcome) -> str:
    """The verdict, and what was found where the policy makes something else of it."""
    return outcome.verdict if outcome.verdict == outcome.status else f"{outcome.verdict} ({outcome.status})"


def headline(verdict: Verdict) -> str:
    """One line: what was held to which policy, and how it came out."""
    subject = name_of(verdict.source) or (printable(verdict.run) if verdict.run else "nothing")
    against = name_of(verdict.reference)
    baseline = name_of(verdict.baseline or {})
    parts = [subject, f"against {against}" if against else "", f"after {baseline}" if baseline else ""]
    return f"{verdict.status.upper()}: {' '.join(part for part in parts if part)}, by {printable(verdict.policy)}"


def report(verdict: Verdict) -> str:
    """Some lines for a terminal or a log: the headline, every gate that did not pass, and what to do."""
    lines = [f"gandiag gate {headline(verdict)}"]
    for outcome in verdict.outcomes:
        if outcome.verdict != "passed":
            found = ", ".join(part for part in (shown_value(outcome), shown_interval(outcome)) if part)
            lines.append(f"  {shown_verdict(outcome)}: {printable(outcome.gate)}; found {found or 'nothing'}")
            lines.append(f"      {printable(outcome.reason)}")
    passed = sum(outcome.verdict == "passed" for outcome in verdict.outcomes)
    lines.append(f"  {passed} of {len(verdict.outcomes)} gates passed, {looks(verdict)}")
    said = [advice(verdict), *(f"warning: {printable(warning)}" for warning in verdict.warnings)]
    return "\n".join([*lines, *(f"  {text}" for text in said if text)])


def advice(verdict: Verdict) -> str | None:
    """What to do about an inconclusive score, or None; the reason of an inconclusive gate on alerts says it all."""
    if not any(outcome.status == "inconclusive" and outcome.kind != "alert" for outcome in verdict.outcomes):
        return None
    if verdict.samples_needed is None:
        return "no number of samples within reach settles it: a person has to"
    count = verdict.samples_needed
    return f"about {count:,} samples would settle it: score with --samples {count}, or gate with --escalate"


def looks(verdict: Verdict) -> str:
    """The confidence, and how often the samples were looked at."""
    text = f"intervals at {verdict.confidence * 100:.4g}%"
    return text if verdict.looks == 1 else f"{text}, look {verdict.looks} with more samples"


def name_of(described: Mapping[str, Any]) -> str:
    """The name of a source or a reference, safe to print."""
    name = described.get("name")
    return "" if name is None else printable(str(name))
