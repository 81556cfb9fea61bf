"""The detectors over the logs of the benchmark of illness, whose outcomes are known."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "alerts" / "accuracy.md"


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Counts and page, from the packed logs alone."""
    folder = tmp_path_factory.mktemp("judged")
    out, counts = folder / "page.md", folder / "counts.json"
    command = [sys.executable, "benchmarks/detectors/judge.py", "--runs", str(folder / "none"), "--no-curves"]
    done = subprocess.run([*command, "--out", out, "--json", counts], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(counts.read_text(encoding="utf-8"))["halves"], out.read_text(encoding="utf-8")


def test_healthy_runs_are_silent(judged):
    (held_out, tuning), _ = judged
    assert (held_out["half"], tuning["half"]) == ("held-out", "tuning")
    assert held_out["healthy"] >= 60
    assert held_out["alarmed"] <= 1
    assert tuning["alarmed"] <= 1


def test_ill_runs_are_caught_and_named(judged):
    for half in judged[0]:
        assert half["failed_alarmed"] >= 0.95 * half["failed"]
        for illness in half["illnesses"]:
            assert illness["caught"] >= 0.95 * illness["ill"], illness
            assert illness["right"] >= 0.9 * illness["caught"], illness
    assert all(illness["ill"] >= 5 for illness in judged[0][0]["illnesses"])


def test_a_collapse_is_told_soon_after_the_modes_are_lost(judged):
    (collapse,) = [illness for illness in judged[0][0]["illnesses"] if illness["name"] == "mode collapse"]
    assert len(collapse["delays"]) >= 5
    assert max(collapse["delays"]) <= 300


def test_the_page_says_what_the_logs_say(judged):
    shown = PAGE.read_text(encoding="utf-8").partition("\n## Other thresholds")[0]
    assert shown.strip() == judged[1].strip()
