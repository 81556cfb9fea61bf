from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from gate_cases import made_result, made_score

GATE = ("gate", "result.json", "--policy", "p.toml", "--junit", "j.xml")


@pytest.fixture
def files(tmp_path):
    """A Result with an FID of 10, and a policy that it does not pass."""
    made_result(fid=made_score(10.0)).save(tmp_path / "result.json")
    (tmp_path / "p.toml").write_text('[[gate]]\nmetric = "fid"\nmax = 9\n', encoding="utf-8")
    return tmp_path


def run(folder: Path, *words: str, unbuffered: bool = False, **streams: int) -> tuple[int, str]:
    """A command in a process of its own: its exit code, and its stderr where that is read."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    environment |= {"PYTHONUNBUFFERED": "1"} if unbuffered else {}
    command = [sys.executable, "-m", "gandiag", *words]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    done = subprocess.run(command, cwd=folder, env=environment, text=True, check=False, **streams)
    return done.returncode, done.stderr or ""


@pytest.fixture
def unread():
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize("unbuffered", [False, True])
def test_a_verdict_that_nobody_reads_is_the_exit_code_still(files, unread, unbuffered):
    code, said = run(files, *GATE, stdout=unread, unbuffered=unbuffered)
    assert code == 1
    assert "Broken" not in said
    assert "Exception" not in said
    assert 'failures="1"' in (files / "j.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("words", "code"), [(GATE, 1), (("list", "metrics"), 0), (("list", "nothing"), 2)])
def test_no_stream_decides_it(files, unread, words, code):
    assert run(files, *words, stdout=unread, stderr=unread)[0] == code


def test_a_head_that_reads_one_line_changes_nothing(files):
    command = [sys.executable, "-m", "gandiag", "list"]
    with subprocess.Popen(command, cwd=files, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_line(files):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        code, said = run(files, *GATE[:-2], "--json", "-", stdout=full.fileno())
        assert code == 2
        assert said.splitlines()[-1].startswith("error: cannot write to stdout: No space left")
        assert run(files, *GATE, stderr=full.fileno())[0] == 1  # of the talk nothing depends


@pytest.mark.skipif(os.name == "nt", reason="there a shell cannot close them")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_that_are_closed_before_the_start(files, closed):
    command = f'"$0" -m gandiag {" ".join(GATE)} {closed}'
    done = subprocess.run(["sh", "-c", command, sys.executable], cwd=files, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
