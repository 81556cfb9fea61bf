from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from interrupts import obey_ctrl_c

from gandiag import load_checkpoint
from reference_models.trainer import TRAINER

RING = ("train", "vanilla", "--dataset", "ring8")


def test_a_recipe_makes_a_checkpoint_that_can_be_scored(gandiag_command, tmp_path):
    finished = gandiag_command(*RING, "--steps", 30, "--out", tmp_path / "run")
    assert finished.code == 0, finished.err
    path = tmp_path / "run" / "checkpoint.pt"
    assert finished.out.strip() == str(path)
    checkpoint = load_checkpoint(path)
    assert (checkpoint.dataset, checkpoint.recipe, checkpoint.step) == ("ring8", "vanilla", 30)
    assert {"seed", "command", "versions", "threads"} <= set(checkpoint.metadata)
    scored = gandiag_command("score", path, "--metric", "modes", "--samples", 200, "--json", "-")
    assert json.loads(scored.out)["source"]["weights"] == "generator_ema"


def test_too_little_memory_is_no_fault_of_gandiag_s_own(refused, tmp_path, monkeypatch):
    def run_out(request, report):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory\nmore of it")

    monkeypatch.setattr(TRAINER, "train", run_out)
    said = refused(*RING, "--out", tmp_path / "run")
    assert "there is too little memory: " in said
    assert "smaller networks" in said


def test_a_resumed_run_ends_where_the_whole_one_does(gandiag_command, tmp_path):
    command = [
        sys.executable,
        "-m",
        "gandiag",
        *RING,
        "--steps",
        "400",
        "--seed",
        "3",
        "--out",
        str(tmp_path / "parts"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=obey_ctrl_c,
    )
    while running.poll() is None and not (tmp_path / "parts" / "run.jsonl").exists():
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    if running.returncode == 0:
        pytest.skip("the run ended before the signal came")
    assert (running.returncode, errors.strip()) == (130, "stopped")
    assert load_checkpoint(tmp_path / "parts" / "checkpoint.pt").step < 400
    for extra, folder in ((["--resume"], "parts"), ([], "whole")):
        words = [*command[:-1], str(tmp_path / folder), *extra]
        subprocess.run(words, check=True, capture_output=True, env=environment, timeout=120)
    parts, whole = (load_checkpoint(tmp_path / name / "checkpoint.pt") for name in ("parts", "whole"))
    assert parts.step == whole.step == 400
    for mine, theirs in ((parts.generator, whole.generator), (parts.generator_ema, whole.generator_ema)):
        assert all(torch.equal(value, theirs[name]) for name, value in mine.items())


def test_an_unknown_recipe_is_offered_a_near_miss(refused):
    assert "unknown recipe 'dcgn', did you mean 'dcgan'?" in refused("train", "dcgn")


def test_an_unknown_fault_and_dataset(refused, tmp_path):
    out = ("--out", tmp_path / "run")
    assert "did you mean 'many_generator_steps'?" in refused(*RING, "--fault", "many_generator_step", *out)
    assert "unknown dataset" in refused("train", "vanilla", "--dataset", "none", *out)
    assert not (tmp_path / "run").exists()


def test_what_to_score_is_told_where_nothing_is_scored(refused, tmp_path):
    told = refused(*RING, "--metric", "fid", "--out", tmp_path / "run")
    assert "--metric" in told
    assert "add --eval-every STEPS" in told
    assert "add --eval-every STEPS" in refused(*RING, "--eval-samples", 5, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_used_run_folder_is_not_written_over(gandiag_command, refused, tmp_path):
    gandiag_command(*RING, "--steps", 5, "--out", tmp_path / "run")
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    assert "--resume" in refused(*RING, "--steps", 5, "--out", tmp_path / "run")
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


def test_resuming_nothing(refused, tmp_path):
    refused(*RING, "--resume", "--out", tmp_path / "none")


def test_a_folder_that_cannot_be_written(refused):
    refused(*RING, "--steps", 5, "--out", "/proc/none/run")


def test_a_recipe_file_of_ones_own(gandiag_command, refused, tmp_path):
    own = tmp_path / "own.toml"
    text = 'summary = "own"\nextends = "vanilla"\ndataset = "ring8"\n[datasets.ring8]\nsteps = 4\n'
    own.write_text(text, encoding="utf-8")
    finished = gandiag_command("train", "--recipe", own, "--out", tmp_path / "run", "--no-monitor")
    assert finished.code == 0, finished.err
    found = load_checkpoint(finished.out.strip())
    assert (found.recipe, found.step) == ("own", 4)
    assert "give one recipe" in refused("train", "vanilla", "--recipe", own)
    assert "give one recipe" in refused("train")
    assert "expected a TOML file" in refused("train", "--recipe", "vanilla")
    assert "there is no recipe file" in refused("train", "--recipe", tmp_path / "none.toml")


def test_a_dry_run_prints_the_plan_and_writes_nothing(gandiag_command, tmp_path):
    changes = ("--set", "loss=saturating", "--set", "techniques.packing.samples=2", "--steps", 5000)
    finished = gandiag_command(*RING, *changes, "--dry-run", "--out", tmp_path / "run")
    assert finished.code == 0, finished.err
    plan = dict(line.split(maxsplit=1) for line in finished.out.splitlines())
    assert (plan["loss"], plan["steps"], plan["techniques"]) == ("saturating", "5,000", "packing (samples 2)")
    assert not (tmp_path / "run").exists()


def test_the_monitor_logs_the_run_unless_told_not_to(gandiag_command, tmp_path):
    for flag, logged in (("--monitor", True), ("--no-monitor", False)):
        finished = gandiag_command(*RING, "--steps", 60, flag, "--out", tmp_path / flag)
        assert finished.code == 0, finished.err
        assert (tmp_path / flag / "run.jsonl").exists() == logged
    one, other = (load_checkpoint(tmp_path / flag / "checkpoint.pt") for flag in ("--monitor", "--no-monitor"))
    assert all(torch.equal(value, other.generator[name]) for name, value in one.generator.items())
    resumed = gandiag_command(*RING, "--steps", 60, "--resume", "--out", tmp_path / "--monitor")
    assert resumed.code == 0, resumed.err
