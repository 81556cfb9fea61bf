from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from gandiag import load_checkpoint

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
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    while running.poll() is None and not (tmp_path / "parts" / "config.json").exists():
        time.sleep(0.02)
    time.sleep(0.3)
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


def test_a_used_run_folder_is_not_written_over(gandiag_command, refused, tmp_path):
    gandiag_command(*RING, "--steps", 5, "--out", tmp_path / "run")
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    assert "--resume" in refused(*RING, "--steps", 5, "--out", tmp_path / "run")
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


def test_resuming_nothing(refused, tmp_path):
    refused(*RING, "--resume", "--out", tmp_path / "none")


def test_a_folder_that_cannot_be_written(refused):
    refused(*RING, "--steps", 5, "--out", "/proc/none/run")
