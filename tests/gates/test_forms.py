"""The forms of a verdict: JUnit XML and Markdown, whatever the names."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import junitparser
import pytest
from gate_cases import made_policy, made_result, made_score
from markdown_it import MarkdownIt

import gandiag
from gandiag.gates.junit import to_junit
from gandiag.gates.markdown import append_summary, escaped, to_markdown

HOSTILE = [
    "<script>alert(1)</script>",
    "a|b\n# c\r\n| d |",
    "\x00\x1b[31m\x7f\ud800\ufffe",
    "`code` **bold** [link](http://x) ![i](http://x) :smile: $x$ ~~s~~",
    "]]> & \" ' <!-- -->",
    "@everyone #1 closes #2",
    "\u202eevil",
    "&lt;b&gt; &#60;",
    "-" * 3000,
]


SUITE = {"name", "package", "id", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time"}


@pytest.fixture
def verdict():
    policy = made_policy('metric = "fid"\nmax = 9', 'metric = "sfid"\nmin = 10', 'metric = "kid"\nmax = 12')
    return gandiag.gate(made_result(fid=made_score(10.0), sfid=made_score(10.05), kid=made_score(1.0)), policy)


def hostile(verdict, name):
    outcomes = tuple(replace(outcome, gate=name, reason=name, score=name) for outcome in verdict.outcomes)
    return replace(verdict, policy=name, run=name, source={"name": name}, warnings=(name,), outcomes=outcomes)


def check_schema(text):
    """What the schema of Ant's JUnit report says, by hand: names, order, attributes and their kinds."""
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    assert not root.attrib
    for suite in root:
        assert set(suite.attrib) == SUITE
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
        tags = [child.tag for child in suite]
        cases = tags[1:-2]
        assert tags == ["properties", *["testcase"] * len(cases), "system-out", "system-err"]
        assert all(set(each.attrib) == {"name", "value"} and each.get("name") for each in suite[0])
        assert int(suite.get("tests")) == len(cases)
        for count, tag in (("failures", "failure"), ("errors", "error")):
            assert int(suite.get(count)) == len(suite.findall(f"testcase/{tag}"))
        for case in suite.findall("testcase"):
            assert set(case.attrib) == {"name", "classname", "time"}
            assert len(case) <= 1
            for name in ("name", "classname"):
                assert case.get(name) == " ".join(case.get(name).split())
            assert all(set(child.attrib) == {"message", "type"} for child in case)


def test_junit_says_what_failed(verdict):
    text = to_junit(verdict)
    check_schema(text)
    (suite,) = junitparser.JUnitXml.fromstring(text.encode())
    assert (suite.tests, suite.failures, suite.errors) == (3, 1, 1)
    kinds = [type(case.result[0]).__name__ if case.result else "Passed" for case in suite]
    assert kinds == ["Failure", "Error", "Passed"]
    assert next(iter(suite)).name == "fid <= 9"


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_junit_takes_any_name(verdict, name):
    text = to_junit(hostile(verdict, name))
    check_schema(text)
    text.encode("utf-8")
    assert "<script" not in text
    assert "\x1b" not in text


def test_markdown_has_a_row_a_gate(verdict):
    lines = to_markdown(verdict).splitlines()
    assert "FAILED" in lines[0]
    assert sum(line.startswith("| sfid") for line in lines) == 1
    assert any("samples would settle it" in line for line in lines)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_markdown_shows_any_name_as_text(verdict, name):
    text = to_markdown(hostile(verdict, name))
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    assert sum(token.type == "tr_open" for token in tokens) == 4
    inner = [child for token in tokens for child in token.children or []]
    kinds = {child.type for child in inner}
    assert kinds <= {"text", "text_special", "html_inline", "softbreak"}
    assert {child.content for child in inner if child.type == "html_inline"} <= {"<!-- -->"}
    text.encode("utf-8")


def test_nobody_is_called_and_nothing_is_closed():
    assert "@everyone" not in escaped("@everyone")
    assert "#1" not in escaped("closes #1")
    assert escaped("fid@pixels") == "fid@pixels"


def test_the_summary_of_a_job_is_added_to(verdict, tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert append_summary(verdict) is None
    path = tmp_path / "summary.md"
    path.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    append_summary(verdict)
    assert path.read_text(encoding="utf-8").startswith("before\n### ")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    with pytest.raises(gandiag.InputError, match="GITHUB_STEP_SUMMARY"):
        append_summary(verdict)
