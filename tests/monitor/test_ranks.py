"""Two processes: one of them logs, and both stop at the same step."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gandiag.core.run_log import read_run_log

PROGRAM = """
import os, sys
sys.path.insert(0, "tests/helpers")
import torch, gan_loops as loops, gandiag
from torch.nn.parallel import DistributedDataParallel
torch.set_num_threads(1)
torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
setting = loops.Setting()
setting.data.manual_seed(rank)
monitor = gandiag.watch(setting.G, setting.D, setting.og, setting.od, run=sys.argv[1], stop_on={"non_finite"})
G, D = DistributedDataParallel(setting.G), DistributedDataParallel(setting.D)
softplus = torch.nn.functional.softplus
try:
    for step in range(200):
        setting.od.zero_grad()
        fake = G(setting.noise())
        (softplus(-D(setting.real())).mean() + softplus(D(fake.detach())).mean()).backward()
        setting.od.step()
        setting.og.zero_grad()
        softplus(-D(fake)).mean().backward()
        setting.og.step()
        if step == 60 and rank == 1:
            monitor.observe(d_loss=float("nan"))
except gandiag.TrainingAlert as alert:
    sys.stdout.write(f"rank {rank} stopped at {monitor.current_step}\\n")  # in one piece: two processes write
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_all_ranks_stop_at_the_same_step_and_one_logs(tmp_path):
    program = tmp_path / "train.py"
    program.write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(program), str(tmp_path / "run")], capture_output=True, text=True, timeout=280, check=False
    )
    lines = sorted(line for line in done.stdout.splitlines() if line.startswith("rank"))
    assert lines == ["rank 0 stopped at 100", "rank 1 stopped at 100"], done.stderr[-2000:]
    assert done.stderr.count("gandiag: step") == 1  # rank 0 alone speaks
    assert "gandiag: step 100: another process raised non_finite" in done.stderr
    assert [record.step for record in read_run_log(tmp_path / "run").records] == [50, 100]
    assert "auc" in read_run_log(tmp_path / "run").records[0].signals
