from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def peers(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/peers.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_the_cheapest_work_runs_and_both_sides_give_the_same_answer(tmp_path):
    pytest.importorskip("torch_fidelity")
    file = tmp_path / "found.json"
    done = peers("--only", "frechet-few", "--quick", "--repeats", "1", "--threads", "1", "--json", str(file))
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(file.read_text(encoding="utf-8"))["runs"]
    (row,) = run["rows"]
    assert (row["ours"], row["peer"], row["agree"]) == ("gandiag", "torch-fidelity", True)
    assert row["ratio_min"] <= row["ratio"] <= row["ratio_max"]
    assert "frechet" in done.stdout.lower()
    assert run["machine"]["threads"] == 1


def test_an_unknown_work_is_refused():
    done = peers("--only", "frechet-fuller")
    assert done.returncode == 2
    assert "frechet-full" in done.stderr.splitlines()[-1]
