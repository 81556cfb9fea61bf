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


def start(words, out):
    command = [sys.executable, *words, *RUN, "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=200, check=False)


@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path):
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for words, out in (([], "one"), (torchrun, "two")):
        finished = start(words, tmp_path / out)
        assert finished.returncode == 0, finished.stderr
    one, two = (load_checkpoint(tmp_path / out / "checkpoint.pt") for out in ("one", "two"))
    for name, value in one.generator.items():
        # Halves of a batch are summed in another order, which Adam's first steps blow up.
        torch.testing.assert_close(two.generator[name], value, rtol=1e-3, atol=2e-4)
    assert finished.stdout.strip() == str(tmp_path / "two" / "checkpoint.pt")
