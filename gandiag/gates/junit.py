"""A verdict as JUnit XML, which CI servers show: one test case a gate.

It follows the schema of Ant's JUnit report (windyroad/JUnit-Schema) and that of Jenkins (xunit-plugin, junit-10.xsd).
"""

from __future__ import annotations

import datetime
from xml.etree import ElementTree

from gandiag.core.errors import printable
from gandiag.gates.text import advice, headline, looks, name_of, shown_interval, shown_value
from gandiag.gates.verdict import Outcome, Verdict


def to_junit(verdict: Verdict) -> str:
    """The XML: a failed gate is a failure, an inconclusive one an error, one that the policy lets pass a pass."""
    counts = [outcome.verdict for outcome in verdict.outcomes]
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name="gandiag gate",
        package="gandiag",
        id="0",
        timestamp=_without_zone(verdict.created),
        hostname="localhost",
        tests=str(len(counts)),
        failures=str(counts.count("failed")),
        errors=str(counts.count("inconclusive")),
        skipped="0",
        time="0",
    )
    properties = ElementTree.SubElement(suite, "properties")
    described = {
        "policy": verdict.policy,
        "source": name_of(verdict.source),
        "reference": name_of(verdict.reference),
        "baseline": name_of(verdict.baseline or {}),
        "run": verdict.run or "",
        "confidence": str(verdict.confidence),
    }
    for name, value in described.items():
        ElementTree.SubElement(properties, "property", name=name, value=_clean(value))
    classname = _token(f"gandiag.{verdict.policy}")
    for outcome in verdict.outcomes:
        case = ElementTree.SubElement(suite, "testcase", name=_token(outcome.gate), classname=classname, time="0")
        if outcome.verdict != "passed":
            kind = "failure" if outcome.verdict == "failed" else "error"
            found = ElementTree.SubElement(case, kind, message=_clean(outcome.reason), type=outcome.status)
            found.text = _clean(_described(outcome))
    said = [headline(verdict), looks(verdict), advice(verdict), *verdict.warnings]
    ElementTree.SubElement(suite, "system-out").text = "\n".join(_clean(text) for text in said if text)
    ElementTree.SubElement(suite, "system-err")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _described(outcome: Outcome) -> str:
    samples = "" if outcome.samples is None else f"{outcome.samples:,} samples"
    parts = (outcome.gate, shown_value(outcome), shown_interval(outcome), samples, outcome.reason)
    return "; ".join(part for part in parts if part)


def _clean(text: str) -> str:
    """Without the characters that XML forbids: what cannot be printed is written as its escape."""
    return printable(text)


def _token(text: str) -> str:
    """With single spaces, as an xs:token has them."""
    return " ".join(_clean(text).split()) or "-"


def _without_zone(created: str) -> str:
    """UTC, without the zone that the schema does not allow."""
    try:
        moment = datetime.datetime.fromisoformat(created).astimezone(datetime.UTC)
    except ValueError:
        moment = datetime.datetime.fromtimestamp(0, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
