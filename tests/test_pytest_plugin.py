"""The fixture of the pytest plugin, in sessions of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from gate_cases import made_result, made_score

SESSION = """
from pathlib import Path

def test_release(gandiag_gate):
    verdict = gandiag_gate("result.json", policy="p.toml")
    assert verdict.passed
"""
PLUGIN = ("-p", "no:cacheprovider", "-p", "no:xdist")


@pytest.fixture
def session(tmp_path):
    """Run a session of pytest with one test file, a Result of FID 10 and a policy."""

    def run(limit: str, *, test: str = SESSION) -> tuple[int, str]:
        made_result(fid=made_score(10.0)).save(tmp_path / "result.json")
        (tmp_path / "p.toml").write_text(f'[[gate]]\nmetric = "fid"\n{limit}\n', encoding="utf-8")
        (tmp_path / "test_it.py").write_text(test, encoding="utf-8")
        (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
        registered = "gandiag" in {point.name for point in _points()}
        plugin = () if registered else ("-p", "gandiag.pytest_plugin")
        command = [sys.executable, "-m", "pytest", *PLUGIN, *plugin, "test_it.py", "--no-header"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def _points():
    from importlib.metadata import entry_points

    return entry_points(group="pytest11")


def test_a_gate_that_passes_passes(session):
    code, out = session("max = 11")
    assert code == 0, out


def test_a_gate_that_fails_fails_with_the_reason_and_no_traceback(session):
    code, out = session("max = 9")
    assert code == 1
    assert "gandiag gate FAILED: model.pt against ring8, by p.toml" in out
    assert "failed: fid <= 9; found 10, 9.804 to 10.196" in out
    assert "Traceback" not in out
    assert "pytest_plugin.py" not in out


def test_what_is_inconclusive_fails_unless_the_policy_says_otherwise(session):
    code, out = session("max = 10.05")
    assert code == 1
    assert "INCONCLUSIVE" in out
    assert "samples would settle it" in out
    code, out = session('max = 10.05\non_inconclusive = "warn"')
    assert code == 0, out


def test_a_bad_policy_is_an_error_of_the_test(session):
    code, out = session("maxi = 3")
    assert code == 1
    assert "unknown key 'maxi', did you mean 'max'?" in out


def test_what_says_how_to_score_is_refused_of_a_saved_result(session):
    test = SESSION.replace('policy="p.toml"', 'policy="p.toml", samples=50')
    code, out = session("max = 11", test=test)
    assert code == 1
    assert "UsageError: gandiag_gate: against, inputs" in out


def test_a_source_is_scored_first(session):
    test = """
import torch

def test_release(gandiag_gate):
    points = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    verdict = gandiag_gate(points, policy="p.toml", against="ring8", cache=False)
    assert verdict.outcomes[0].samples == 300
"""
    code, out = session("max = 100", test=test)
    assert code == 0, out


def test_collecting_loads_nothing_heavy_and_a_saved_result_no_torch(session):
    test = f"""
import sys
assert not {{"torch", "scipy", "numpy", "rich"}} & set(sys.modules)
{SESSION}
    assert "torch" not in sys.modules
"""
    code, out = session("max = 11", test=test)
    assert code == 0, out


def test_the_plugin_is_registered():
    points = {point.name: point.value for point in _points()}
    assert points["gandiag"] == "gandiag.pytest_plugin"
