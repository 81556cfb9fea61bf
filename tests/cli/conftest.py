from __future__ import annotations

from dataclasses import dataclass

import pytest

from gandiag.cli.main import main


@dataclass(frozen=True)
class Finished:
    """How a command line ended."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def usual_width(monkeypatch):
    """Tables as wide as without a terminal: what runs the tests in parallel says that its own has 80 columns."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def gandiag_command(capsys):
    """Run a command line in this process."""

    def run(*words: object) -> Finished:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        return Finished(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def refused(gandiag_command):
    """Run a command line that must end in exit code 2, one line on stderr, and nothing on stdout; give the line."""

    def run(*words: object) -> str:
        finished = gandiag_command(*words)
        assert finished.code == 2, finished
        assert finished.out == ""
        lines = finished.err.strip().splitlines()
        assert len(lines) == 1, finished.err
        assert lines[0].startswith("error: ")
        assert "Traceback" not in finished.err
        return lines[0]

    return run
