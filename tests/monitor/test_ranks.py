"""Two processes: one of them logs, and both stop at the same step."""

from __future__ import annotations

import subprocess
import sys

import gan_loops as loops
import pytest
import torch

import gandiag
from gandiag.core.run_log import read_run_log
from gandiag.monitor import monitor as module

TRAIN = """
def train(setting, G, D, steps, rank, bad=None):
    softplus = torch.nn.functional.softplus
    for step in range(steps):
        setting.od.zero_grad()
        fake = G(setting.noise())
        (softplus(-D(setting.real())).mean() + softplus(D(fake.detach())).mean()).backward()
        setting.od.step()
        setting.og.zero_grad()
        softplus(-D(fake)).mean().backward()
        setting.og.step()
        if bad is not None and step == bad and rank == 1:
            monitor.observe(d_loss=float("nan"))
"""
PROGRAM = """
import os, sys
sys.path.insert(0, "tests/helpers")
import torch, gan_loops as loops, gandiag
from torch.nn.parallel import DistributedDataParallel
torch.set_num_threads(1)
#TRAIN
torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
setting = loops.Setting()
setting.data.manual_seed(rank)
monitor = gandiag.watch(setting.G, setting.D, setting.og, setting.od, run=sys.argv[1], stop_on={"non_finite"})
G, D = DistributedDataParallel(setting.G), DistributedDataParallel(setting.D)
try:
    train(setting, G, D, 200, rank, bad=60)
except gandiag.TrainingAlert as alert:
    sys.stdout.write(f"rank {rank} stopped at {monitor.current_step}\\n")  # in one piece: two processes write
torch.distributed.destroy_process_group()
"""


# Rank 0 goes on from the log's step, which no optimizer's state names; the other ranks have to know it as well.
RESUMED = """
import os, sys
sys.path.insert(0, "tests/helpers")
import torch, gan_loops as loops, gandiag
from torch.nn.parallel import DistributedDataParallel
torch.set_num_threads(1)
#TRAIN
torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
setting = loops.Setting(optimizer=lambda parameters: torch.optim.SGD(parameters, 1e-2))
setting.data.manual_seed(rank)
G, D = DistributedDataParallel(setting.G), DistributedDataParallel(setting.D)
for resume, steps in ((False, 80), (True, 120)):
    monitor = gandiag.watch(G, D, setting.og, setting.od, run=sys.argv[1], stop_on={"non_finite"}, resume=resume)
    begun = monitor.current_step
    try:
        train(setting, G, D, steps, rank, bad=60 if resume else None)
    except gandiag.TrainingAlert as alert:
        sys.stdout.write(f"rank {rank} stopped at {monitor.current_step}, begun at {begun}\\n")
    monitor.close()
torch.distributed.destroy_process_group()
"""


def on_two_ranks(program, folder):
    file = folder / "train.py"
    file.write_text(program.replace("#TRAIN", TRAIN), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(file), str(folder / "run")], capture_output=True, text=True, timeout=280, check=False
    )
    return done, sorted(line for line in done.stdout.splitlines() if line.startswith("rank"))


@pytest.fixture
def agreements(monkeypatch):
    """Steps of the optimizers at which a process that has one more rank beside it takes part in a collective."""
    found, setting = [], loops.Setting()
    monkeypatch.setattr(module, "_ranks", lambda: 2)
    monkeypatch.setattr(torch.distributed, "get_backend", lambda: "gloo")
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda *_, **__: found.append(int(made["steps"])))
    made = {"steps": 0}

    def train(steps):
        for _ in range(steps):
            made["steps"] += 1
            loops.separate_calls(setting, 1)

    return found, setting, train


@pytest.mark.parametrize("resume", [False, 30])
def test_ranks_agree_after_as_many_steps_wherever_one_goes_on_from(agreements, resume):
    found, setting, train = agreements
    monitor = gandiag.watch(
        setting.G, setting.D, setting.og, setting.od, sinks=[], stop_on={"non_finite"}, resume=resume
    )
    assert monitor.current_step == int(resume)
    train(120)
    assert found == [50, 100]
    monitor.close()


def test_a_rank_that_flushes_or_ends_alone_waits_for_no_other(agreements):
    found, setting, train = agreements
    monitor = gandiag.watch(setting.G, setting.D, setting.og, setting.od, sinks=[], on_alert="raise")
    train(20)
    monitor.flush()
    train(20)
    monitor.close()
    assert found == []


def test_a_failed_agreement_does_not_stop_the_training(agreements, monkeypatch):
    _, setting, train = agreements

    def broken(*_, **__):
        raise RuntimeError("connection closed by peer")

    monkeypatch.setattr(torch.distributed, "all_reduce", broken)
    monitor = gandiag.watch(setting.G, setting.D, setting.og, setting.od, sinks=[], on_alert="raise")
    with pytest.warns(RuntimeWarning, match="connection closed by peer"):
        train(60)
    monitor.close()


@pytest.mark.slow
def test_a_resumed_run_goes_on_at_one_step_on_all_ranks(tmp_path):
    done, lines = on_two_ranks(RESUMED, tmp_path)
    assert lines == ["rank 0 stopped at 180, begun at 80", "rank 1 stopped at 180, begun at 80"], done.stderr[-2000:]


@pytest.mark.slow
def test_all_ranks_stop_at_the_same_step_and_one_logs(tmp_path):
    done, lines = on_two_ranks(PROGRAM, tmp_path)
    assert lines == ["rank 0 stopped at 100", "rank 1 stopped at 100"], done.stderr[-2000:]
    assert done.stderr.count("gandiag: step") == 1  # rank 0 alone speaks
    assert "gandiag: step 100: another process raised non_finite" in done.stderr
    assert [record.step for record in read_run_log(tmp_path / "run").records] == [50, 100]
    assert "auc" in read_run_log(tmp_path / "run").records[0].signals
