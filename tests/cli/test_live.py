from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from itertools import pairwise

import pytest
from interrupts import obey_ctrl_c

from gandiag.cli.sparkline import BLOCKS, sparkline
from gandiag.core.alert import Alert
from gandiag.core.run_log import as_logged
from gandiag.core.signals import Record
from gandiag.monitor.sinks.jsonl import RunLogWriter

ALERT = Alert("mode_collapse", "critical", 1500, 1010, "the fakes are alike", {"variance_ratio": 0.01})


def record(step: int) -> Record:
    signals = {
        "generator_gradient_norm": step / 1000,
        "discriminator_gradient_norm": 2.0,
        "generator_loss": 1.0,
        "auc": 0.75,
        "real_confidence": 0.6,
        "fake_confidence": 0.4,
        "variance_ratio": 0.9,
        "coverage": 0.8,
        "quality_kid": 0.0123,
        "quality_kid_stderr": 0.001,
        "generator_loss@A": 3.5,
    }
    return as_logged(Record(step, step / 40, signals))


@pytest.fixture
def run(tmp_path):
    writer = RunLogWriter(tmp_path / "run", {})
    for step in range(50, 2050, 50):
        writer.record(record(step))
    writer.alert(ALERT)
    writer.close()
    return tmp_path / "run"


class TestSparkline:
    def test_a_rise(self):
        points = [(step, float(step)) for step in range(8)]
        assert sparkline(points, 8, begin=0, end=7) == BLOCKS

    def test_limits_logarithms_and_constants(self):
        assert sparkline([(0, 0.0), (1, 1.0), (2, 5.0)], 3, begin=0, end=2, limits=(0.0, 1.0)) == "▁██"
        powers = [(place, 10.0**place) for place in range(8)]
        assert sparkline(powers, 8, begin=0, end=7, logarithmic=True) == BLOCKS
        assert sparkline([(0, 3.0), (1, 3.0)], 2, begin=0, end=1) == "▄▄"
        assert sparkline([], 4, begin=0, end=9) == "    "
        assert len(sparkline([(0, 0.0), (9, -1.0)], 4, begin=0, end=9, logarithmic=True)) == 4

    def test_extremes(self):
        assert sparkline([(0, -1.7e308), (1, 1.7e308)], 2, begin=0, end=1) == "▁█"
        assert len(sparkline([(10**15, 1e-320), (10**18, 5e-324)], 5, begin=10**15, end=10**18, logarithmic=True)) == 5

    def test_a_steady_signal_has_no_gaps(self):
        line = sparkline([(step, float(step)) for step in range(0, 100, 25)], 40, begin=0, end=100)
        assert " " not in line.rstrip()


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_one_frame_fits_its_width(gandiag_command, run, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    out = gandiag_command("live", run).out
    lines = out.splitlines()
    assert max(len(line) for line in lines) <= columns
    text = " ".join(out.split())
    for word in ("generator", "discriminator", "AUC", "variance", "kid", "mode_collapse", "alike"):
        assert word in text
    if columns >= 80:
        assert "step 2,000" in out
        assert "40 steps/s" in out
        assert "last good step 1,000" in out
        assert "generator A" in out
    assert "stderr" not in out


def test_a_frame_without_blocks(run):
    words = [sys.executable, "-m", "gandiag", "live", str(run), "--once"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    finished = subprocess.run(words, capture_output=True, env=environment, check=False)
    assert finished.returncode == 0, finished.stderr
    finished.stdout.decode("ascii")


def test_a_run_that_has_only_begun(gandiag_command, tmp_path):
    RunLogWriter(tmp_path, {}).close()
    finished = gandiag_command("live", tmp_path, "--once")
    assert finished.code == 0
    assert "nothing measured yet" in finished.out


def test_a_missing_run_ends_where_there_is_no_terminal(refused, tmp_path):
    assert "does not exist" in refused("live", tmp_path / "nothing")


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, *words: object) -> None:
        self.master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
        command = [sys.executable, "-m", "gandiag", *map(str, words)]
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, preexec_fn=obey_ctrl_c
        )
        os.close(slave)
        self.text = ""

    def wait_for(self, text: str, seconds: float = 20) -> None:
        """Read until the text has been shown since the last wait."""
        end = time.monotonic() + seconds
        self.text = ""
        while text not in self.text:
            assert time.monotonic() < end, f"no {text!r} in {self.text[-2000:]!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.master, 65536).decode(errors="replace")
                except OSError:  # its end is closed
                    break

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.wait_for("stopped")
        return self.process.wait(10)


def test_it_waits_follows_survives_a_new_run_and_ends_by_ctrl_c(tmp_path):
    folder = tmp_path / "run"
    terminal = Terminal("live", folder, "--every", "0.1")
    try:
        terminal.wait_for("waiting for")
        writer = RunLogWriter(folder, {})
        terminal.wait_for("nothing measured yet")
        for step, following in pairwise(range(50, 250, 50)):
            writer.record(record(step))
            terminal.wait_for(f"step {step}")
            assert f"step {following}" not in terminal.text
        writer.alert(ALERT)
        terminal.wait_for("mode_collapse")
        writer.close()
        writer = RunLogWriter(folder, {})
        writer.record(record(50))
        writer.close()
        terminal.wait_for("none so far")
        assert terminal.stop() == 130
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.master)


def test_a_log_that_becomes_damaged_ends_it_with_one_line(run):
    terminal = Terminal("live", run, "--every", "0.1")
    try:
        terminal.wait_for("step 2,000")
        with (run / "run.jsonl").open("a") as file:
            file.write("damage\n")
        terminal.wait_for("error: ")
        assert terminal.process.wait(10) == 2
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.master)
