from __future__ import annotations

import json

import pytest

from gandiag.evaluation import doctor, self_test
from gandiag.evaluation.finding import Finding

FAILED = Finding("self-test", "fid", "failed", "fid: expected identical = 0; found identical 7", "reinstall [gandiag]")
PASSED = Finding("self-test", "kid", "ok", "5 reactions as its theory says")
MISSING = Finding(
    "weights", "inception", "missing", "not here", "gandiag weights fetch inception " + "and " * 60 + "end"
)


@pytest.fixture
def quick(monkeypatch):
    """What doctor finds, in place of looking."""

    def find(*tested):
        monkeypatch.setattr(doctor, "examine_machine", lambda: [Finding("machine", "GPU", "note", "none")])
        monkeypatch.setattr(doctor, "examine_weights", lambda: [MISSING])
        monkeypatch.setattr(doctor, "examine_data", lambda root: [Finding("data", "mnist", "ok", f"under {root}")])
        monkeypatch.setattr(doctor, "examine_extras", list)
        monkeypatch.setattr(self_test, "self_test", lambda progress: list(tested))

    return find


def test_all_topics_are_shown_and_missing_things_are_no_failure(gandiag_command, quick):
    quick(PASSED)
    finished = gandiag_command("doctor", "--data-root", "pictures")
    assert finished.code == 0
    assert finished.err == ""
    for word in ("machine", "weights", "data", "self-test", "under pictures", "5 reactions"):
        assert word in finished.out
    # A command is one line, whatever the width of the table.
    assert f"inception: {MISSING.remedy}" in finished.out.replace("  ", "")


def test_a_failed_self_test_is_exit_code_1(gandiag_command, quick):
    quick(PASSED, FAILED)
    finished = gandiag_command("doctor")
    assert finished.code == 1
    assert finished.err.strip() == "failed: fid"
    assert "reinstall [gandiag]" in finished.out
    assert gandiag_command("doctor", "--no-self-test").code == 0


def test_json_alone_or_in_a_file(gandiag_command, quick, tmp_path):
    quick(PASSED, FAILED)
    finished = gandiag_command("doctor", "--json", "-")
    document = json.loads(finished.out)
    assert finished.code == 1
    assert (document["schema"], document["ok"]) == ("gandiag.doctor/1", False)
    assert document["findings"][-1] == {
        "topic": "self-test",
        "name": "fid",
        "state": "failed",
        "text": FAILED.text,
        "remedy": FAILED.remedy,
    }
    written = gandiag_command("doctor", "--no-self-test", "--json", tmp_path / "doctor.json")
    assert written.code == 0
    assert "wrote" in written.err
    assert json.loads((tmp_path / "doctor.json").read_text())["ok"] is True


def test_a_file_that_cannot_be_written_is_refused_first(refused, quick, tmp_path):
    quick(FAILED)
    assert "is a folder" in refused("doctor", "--json", tmp_path)


def test_this_machine(gandiag_command):
    finished = gandiag_command("doctor", "--no-self-test", "--json", "-")
    findings = json.loads(finished.out)["findings"]
    assert {finding["topic"] for finding in findings} == {"machine", "weights", "data", "extras"}
    assert {finding["state"] for finding in findings} <= {"ok", "missing", "note"}
