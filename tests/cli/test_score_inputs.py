"""`--inputs`, `--targets` and `--cycle`, of every command that opens a model."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from translators import Double, Half, exported

from gandiag import GeneratorOptions
from gandiag.pytest_plugin import GateFixture


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
        torch.export.save(exported(Double(), (3, 8, 8)), "double.pt2")
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


PAIRS = ("--targets", "high.npy", "--cycle", "half.ts", "--metric", "psnr,cycle_error")


def test_models_are_compared_on_the_same_inputs(gandiag_command, files):
    finished = gandiag_command("compare", files[0], "double.pt2", *files[1:], *PAIRS, "--json", "-")
    assert finished.code == 0, finished.err
    rows = json.loads(finished.out)["rows"]
    assert [row["score"] for row in rows] == ["psnr", "psnr", "cycle_error", "cycle_error"]
    assert [row["value"] for row in rows[:2]] == pytest.approx([20 * np.log10(255)] * 2, rel=1e-9)


def test_the_report_of_models_that_take_images_shows_what_they_make(gandiag_command, files):
    finished = gandiag_command("compare", files[0], "double.pt2", *files[1:], *PAIRS, "--html", "report.html")
    assert finished.code == 0, finished.err
    report = Path("report.html").read_text(encoding="utf-8")
    assert "not shown" not in report
    assert report.count("data:image/png;base64,") >= 2


@pytest.mark.parametrize(("limit", "code"), [(48, 0), (49, 1)])
def test_a_model_that_takes_images_is_held_to_a_policy(gandiag_command, files, limit, code):
    Path("p.toml").write_text(f'[[gate]]\nmetric = "psnr"\nmin = {limit}\n', encoding="utf-8")
    finished = gandiag_command("gate", *files, "--targets", "high.npy", "--policy", "p.toml", "--json", "-")
    assert finished.code == code, finished.err
    (outcome,) = json.loads(finished.out)["outcomes"]
    assert outcome["value"] == pytest.approx(20 * np.log10(255), rel=1e-9)  # 48.13


def test_what_a_model_makes_of_images_is_written(gandiag_command, files):
    finished = gandiag_command("sample", *files, "--out", "made.npz")
    assert finished.code == 0, finished.err
    low = np.load("low.npy")
    assert np.array_equal(np.load("made.npz")["arr_0"], low.repeat(2, axis=1).repeat(2, axis=2))


def test_people_are_shown_what_two_models_make_of_one_image(gandiag_command, files):
    words = ("--question", "a-or-b", "--trials", 4, "--catch", 0, "--out", "study.html")
    finished = gandiag_command("study", "make", files[0], "double.pt2", *files[1:], *words)
    assert finished.code == 0, finished.err
    assert Path("study.html").stat().st_size > 0


@pytest.mark.parametrize(
    "words", [("sample", "--out", "made.npz"), ("study", "make", "--against", "high.npy", "--out", "study.html")]
)
def test_inputs_are_for_models_that_take_them(refused, files, words):
    assert "--inputs is for a model" in refused(*words, "high.npy", *files[1:3])


def test_the_fixture_of_pytest_takes_them_too(files):
    Path("p.toml").write_text('[[gate]]\nmetric = "psnr"\nmin = 48\n', encoding="utf-8")
    unit = GeneratorOptions(input_range=(0, 1), image_range=(0, 1))
    given = {"inputs": "low.npy", "targets": "high.npy", "generator": unit, "cache": False}
    assert GateFixture()("double.ts", policy="p.toml", **given).passed
