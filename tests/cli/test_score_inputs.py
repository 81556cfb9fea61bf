"""`gandiag score MODEL --inputs REF`."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from translators import Double, Half


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Models, and arrays of inputs and of targets that are one grey level off, in the current folder."""
    monkeypatch.chdir(tmp_path)
    low = np.random.default_rng(0).integers(0, 250, (9, 8, 8, 3)).astype(np.uint8)
    np.save("low.npy", low)
    np.save("high.npy", low.repeat(2, axis=1).repeat(2, axis=2) + 1)
    np.save("points.npy", np.zeros((9, 2), dtype=np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(Double().eval(), torch.rand(1, 3, 8, 8)).save("double.ts")
        torch.jit.trace(Half().eval(), torch.rand(1, 3, 16, 16)).save("half.ts")
    return ("double.ts", "--inputs", "low.npy", "--input-range", "0,1", "--image-range", "0,1")


def test_pairs_and_the_way_back(gandiag_command, files):
    words = ("--targets", "high.npy", "--cycle", "half.ts", "--metric", "psnr,ssim,cycle_error", "--json", "-")
    finished = gandiag_command("score", *files, *words)
    assert finished.code == 0, finished.err
    scores = json.loads(finished.out)["scores"]
    assert scores["psnr"]["value"] == pytest.approx(20 * np.log10(255), rel=1e-9)
    assert scores["ssim"]["value"] > 0.9
    assert scores["cycle_error"]["value"] == pytest.approx(0, abs=1e-9)
    assert set(json.loads(finished.out)["protocol"]) >= {"inputs", "targets", "cycle"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "--targets"),
        (("--targets", "low.npy"), "(3, 8, 8)"),
        (("--targets", "points.npy"), "points"),
        (("--targets", "nowhere"), "nowhere"),
        (("--targets", "high.npy", "-n", "10"), "--samples asks for 10"),
    ],
)
def test_what_is_wrong_is_one_line(refused, files, words, expected):
    assert expected in refused("score", *files, *words, "--metric", "psnr")


def test_the_range_of_the_inputs_is_not_guessed(refused, files):
    assert "--input-range" in refused("score", *files[:3], "--targets", "high.npy", "--metric", "psnr")
