"""Two processes that `torchrun` starts train as one does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from gandiag import load_checkpoint

RUN = ["-m", "gandiag", "train", "vanilla", "--dataset", "ring8", "--steps", "6", "--no-monitor", "--device", "cpu"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def start(words, out, *more):
    command = [sys.executable, *words, *RUN, "--out", str(out), *more]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=200, check=False)


@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path):
    for words, out in (([], "one"), (TORCHRUN, "two")):
        finished = start(words, tmp_path / out)
        assert finished.returncode == 0, finished.stderr
    one, two = (load_checkpoint(tmp_path / out / "checkpoint.pt") for out in ("one", "two"))
    for name, value in one.generator.items():
        # Halves of a batch are summed in another order, which Adam's first steps blow up.
        torch.testing.assert_close(two.generator[name], value, rtol=1e-3, atol=2e-4)
    assert finished.stdout.strip() == str(tmp_path / "two" / "checkpoint.pt")


@pytest.mark.slow
def test_two_processes_with_a_store_each_resume_exactly(tmp_path):
    settings = ("--set", "techniques.experience_replay.size=64", "--set", "decay_from=1.0")
    for out, more in (("whole", ()), ("parts", ("--steps", "3")), ("parts", ("--resume",))):
        finished = start(TORCHRUN, tmp_path / out, *settings, *more)
        assert finished.returncode == 0, finished.stderr
    whole, parts = (load_checkpoint(tmp_path / out / "checkpoint.pt") for out in ("whole", "parts"))
    assert whole.step == parts.step == 6
    assert all(torch.equal(value, parts.generator[name]) for name, value in whole.generator.items())
