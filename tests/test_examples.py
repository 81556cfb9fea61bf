"""The shipped checkpoints are what they are said to be."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import gandiag

FOLDER = Path(__file__).parent.parent / "examples" / "checkpoints"
HEALTHY = FOLDER / "dcgan-stacked-mnist.pt"
COLLAPSED = FOLDER / "dcgan-stacked-mnist-collapsed.pt"
ROUNDED = FOLDER / "dcgan-stacked-mnist-6bit.pt"


@pytest.fixture(scope="module")
def small():
    """Both scored on a tenth of the protocol's samples."""
    metrics = ["fid", "pr", "modes"]
    return [gandiag.score(path, metrics, samples=2600) for path in (HEALTHY, COLLAPSED)]


@pytest.mark.parametrize("path", [HEALTHY, COLLAPSED, ROUNDED])
def test_each_is_small_and_says_how_it_was_made(path):
    assert path.stat().st_size <= 2_000_000
    checkpoint = gandiag.load_checkpoint(path)
    assert checkpoint.dataset == "stacked-mnist"
    assert checkpoint.metadata["command"].startswith("gandiag train dcgan --dataset stacked-mnist")
    assert {"seed", "threads", "versions"} <= set(checkpoint.metadata)


def test_the_scores_order_them(small):
    healthy, collapsed = small
    assert healthy["fid"].ci95[1] < collapsed["fid"].ci95[0]
    for name in ("recall", "coverage", "modes", "effective_modes"):
        assert healthy[name].ci95[0] > collapsed[name].ci95[1], name


def test_the_mode_counts_tell_health_from_collapse(small):
    healthy, collapsed = small
    assert healthy["modes"].value > 800  # a perfect generator reaches 929 with so few samples
    assert collapsed["modes"].value < 100


def test_the_rounded_one_is_what_its_example_script_makes(tmp_path):
    script = Path(__file__).parent.parent / "examples" / "compress_a_checkpoint.py"
    out = tmp_path / "again.pt"
    subprocess.run([sys.executable, str(script), str(HEALTHY), str(out), "6"], check=True)
    made, shipped = (gandiag.load_checkpoint(path).generator for path in (out, ROUNDED))
    assert all(torch.equal(made[name], value) for name, value in shipped.items())


def test_near_models_are_told_apart_by_pairing_at_half_the_width_or_less():
    table = gandiag.compare([HEALTHY, ROUNDED], ["fid", "pr"], baseline=HEALTHY, samples=1000)
    for name in ("fid", "precision", "recall", "coverage"):
        healthy, rounded = table.rows_of(name)
        unpaired = math.hypot(healthy.stderr, rounded.stderr)
        assert rounded.to_baseline.method == "paired"
        assert rounded.to_baseline.stderr <= 0.5 * unpaired, name


@pytest.mark.slow
def test_the_healthy_one_covers_the_modes_by_the_whole_protocol():
    result = gandiag.score(HEALTHY, "modes")
    assert result["modes"].n_fake == 26_000
    assert result["modes"].value >= 990
    assert result["mode_kl"].value < 0.3
    assert result["modes"].details["mean_confidence"] > 0.7


@pytest.mark.slow
def test_the_collapsed_one_stays_under_a_hundred_modes_by_the_whole_protocol():
    assert gandiag.score(COLLAPSED, "modes")["modes"].value < 100


@pytest.mark.slow
def test_two_draws_of_real_digits_are_found_to_be_alike():
    result = gandiag.score("stacked-mnist", ["fid", "modes"])
    assert result["modes"].value == 1000
    divergence = result["mode_kl"]
    assert abs(divergence.value - divergence.details["floor"]) < 4 * divergence.details["floor_deviation"]
    low, high = result["fid_infinity"].ci95
    assert low <= 0 <= high


@pytest.mark.slow
def test_the_batch_size_of_the_example_changes_nothing_that_matters():
    small, large = (gandiag.score(HEALTHY, ["fid", "is", "pr"], samples=2000, batch_size=size) for size in (7, 512))
    for name in ("fid", "is"):
        assert small[name].value == pytest.approx(large[name].value, rel=1e-5)
    for name in ("precision", "recall"):
        assert small[name].value == pytest.approx(large[name].value, abs=2 / 2000)


def test_the_script_shows_what_fid_does_not_see(capsys):
    import runpy

    runpy.run_path(str(FOLDER.parent / "score_a_network.py"), run_name="__main__")
    values = {
        line.split()[0]: float(line.split()[1]) for line in capsys.readouterr().out.splitlines() if "None" not in line
    }
    assert abs(values["fid_infinity"]) < 0.05  # its mean and covariance are the ring's
    assert values["high_quality"] < 0.05
    assert values["precision"] < 0.5
