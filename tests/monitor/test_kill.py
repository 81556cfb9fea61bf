"""A run that is killed and goes on: its log is readable at every moment, and ends as if nothing had happened."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from gandiag.core.run_log import read_run_log

STEPS, KILLS = 700, 4
SCRIPT = """
import os, sys
from pathlib import Path
import torch
from torch import nn
from torch.nn import functional
import gandiag

folder, steps = Path(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(1)
torch.manual_seed(0)
G, D = (nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, out)) for out in (2, 1))
og, od = (torch.optim.Adam(each.parameters(), 1e-3, betas=(0.5, 0.999)) for each in (G, D))
saved, begun = folder / "state.pt", 0
if saved.exists():
    state = torch.load(saved)
    begun = state["step"]
    for part, values in zip((G, D, og, od), state["parts"]):
        part.load_state_dict(values)
    torch.set_rng_state(state["random"])
monitor = gandiag.watch(G, D, og, od, run=folder, sinks=(), max_overhead=None, resume=saved.exists())
for step in range(begun + 1, steps + 1):
    real, noise = torch.randn(64, 2), torch.zeros(64, 2)  # one latent for all: a collapse
    od.zero_grad()
    fake = G(noise)
    (functional.softplus(-D(real)).mean() + functional.softplus(D(fake.detach())).mean()).backward()
    od.step()
    og.zero_grad()
    functional.softplus(-D(fake)).mean().backward()
    og.step()
    if step % 50 == 0:
        parts = [part.state_dict() for part in (G, D, og, od)]
        torch.save({"step": step, "parts": parts, "random": torch.get_rng_state()}, folder / "part")
        os.replace(folder / "part", saved)
        print(step, flush=True)
monitor.close()
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_run_goes_on_without_a_second_alert(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT, encoding="utf-8")
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    command = [sys.executable, str(script)]
    subprocess.run([*command, tmp_path / "whole", str(STEPS)], check=True, stdout=subprocess.DEVNULL)
    draw = random.Random(0)
    for kill in range(KILLS):
        process = subprocess.Popen([*command, tmp_path / "killed", str(STEPS)], stdout=subprocess.PIPE, text=True)
        for _ in range(1 + kill % 2):
            process.stdout.readline()  # it has come further than the last time
        time.sleep(draw.uniform(0, 0.3))
        process.kill()
        process.wait()
        process.stdout.close()
        log = read_run_log(tmp_path / "killed")
        assert [record.step for record in log.records] == [50 * (place + 1) for place in range(len(log.records))]
    subprocess.run([*command, tmp_path / "killed", str(STEPS)], check=True, stdout=subprocess.DEVNULL)
    whole, killed = (read_run_log(tmp_path / name) for name in ("whole", "killed"))
    # Scores are a mean over a few steps more in the window after a kill, whose batches are not known yet.
    for name in ("generator_gradient_norm", "discriminator_gradient_norm", "generator_steps"):
        one, other = ([(each.step, each.signals[name]) for each in log.records] for log in (whole, killed))
        assert one == other
    told = [[(each.kind, each.severity, each.since_step, each.step) for each in log.alerts] for log in (whole, killed)]
    assert told[0] == told[1]
    assert "mode_collapse" in {kind for kind, *_ in told[0]}
