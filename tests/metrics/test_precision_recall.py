from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.precision_recall import precision_recall

NAMES = ("precision", "recall", "density", "coverage")


def values(real, fake, **options):
    scores = precision_recall(real=real, fake=fake, rng=np.random.default_rng(0), **options)
    return {name: score.value for name, score in scores.items()}


@pytest.mark.parametrize("radius", [10, 50])
def test_tight_clusters_far_apart_keep_their_width(normal, radius):
    angles = torch.arange(600) % 8 * torch.pi / 4
    centres = radius * torch.stack([angles.cos(), angles.sin()], dim=1)
    real, fake = centres + 0.01 * normal(600, 2), centres + 0.01 * normal(600, 2) + 0.03
    found, exact = values(real.float(), fake.float()), values(real.double(), fake.double())
    assert exact["precision"] < 0.5
    for name in NAMES:
        assert found[name] == pytest.approx(exact[name], abs=0.02)


@pytest.mark.parity
@pytest.mark.parametrize(("n", "m", "d"), [(300, 300, 8), (200, 350, 32)])
def test_it_equals_torch_fidelity_and_prdc(normal, n, m, d):
    fidelity = pytest.importorskip("torch_fidelity.metric_prc")
    prdc = pytest.importorskip("prdc")
    real, fake = normal(n, d, dtype=torch.float32), (0.9 * normal(m, d) + 0.1).float()
    found = values(real, fake, halves=0)
    precision, recall = fidelity.calculate_precision_recall_full(fake, real, neighborhood=3)
    assert found["precision"] == pytest.approx(float(precision), abs=1e-6)
    assert found["recall"] == pytest.approx(float(recall), abs=1e-6)
    peer = prdc.compute_prdc(real.double().numpy(), fake.double().numpy(), nearest_k=5)
    assert found["density"] == pytest.approx(peer["density"], abs=1e-6)
    assert found["coverage"] == pytest.approx(peer["coverage"], abs=1e-6)


def test_collapsed_fakes_are_precise_and_recall_little(normal):
    found = values(normal(400, 4), 0.05 * normal(400, 4), halves=0)
    assert found["precision"] > 0.95
    assert found["recall"] < 0.05
    assert found["coverage"] < 0.5


def test_fakes_wider_than_the_real_recall_all_and_are_imprecise(normal):
    found = values(normal(400, 4), 4 * normal(400, 4), halves=0)
    assert found["precision"] < 0.3
    assert found["recall"] > 0.95


def test_swapping_the_sides_swaps_precision_and_recall(normal):
    one, other = normal(150, 3), 2 * normal(120, 3)
    forward, back = values(one, other, halves=0), values(other, one, halves=0)
    assert forward["precision"] == back["recall"]
    assert forward["recall"] == back["precision"]


def test_a_set_is_inside_itself(normal):
    rows = normal(200, 6)
    found = values(rows, rows.clone(), halves=0)
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    assert found["density"] >= 1  # each point is in its own ball and in others


def test_far_sets_share_nothing(normal):
    found = values(normal(100, 3), normal(100, 3) + 1e3)
    assert found == dict.fromkeys(NAMES, 0.0)


def test_constant_features_are_all_inside():
    found = values(torch.ones(30, 4), torch.ones(40, 4))
    assert found == {"precision": 1, "recall": 1, "density": 6, "coverage": 1}  # 30 balls over k = 5


def test_the_order_of_the_rows_does_not_matter(normal):
    real, fake = normal(150, 4), normal(140, 4) + 0.5
    assert values(real.flip(0), fake[torch.arange(140).roll(50)], halves=0) == values(real, fake, halves=0)


def test_one_generator_gives_one_answer(normal):
    real, fake = normal(100, 3), normal(100, 3)
    one, two = (precision_recall(real=real, fake=fake, rng=np.random.default_rng(4)) for _ in range(2))
    assert one == two
    other = precision_recall(real=real, fake=fake, rng=np.random.default_rng(5))
    assert other["recall"].value == one["recall"].value
    assert other["recall"].stderr != one["recall"].stderr


def test_the_intervals_cover_the_expectation_at_that_n():
    generator = torch.Generator().manual_seed(5)

    def draw(halves):
        real, fake = (torch.randn(300, 4, generator=generator) for _ in range(2))
        return precision_recall(real=real, fake=0.7 * fake + 0.2, halves=halves)

    many, intervals = [draw(0) for _ in range(150)], [draw(40) for _ in range(60)]
    for name in NAMES:
        expectation = np.mean([scores[name].value for scores in many])
        low, high = np.array([scores[name].ci95 for scores in intervals]).T
        covered = ((low <= expectation) & (expectation <= high)).sum()
        assert 51 <= covered <= 60, name
        far = expectation + 6 * np.std([scores[name].value for scores in many])
        assert (high < far).mean() > 0.9, name


@pytest.mark.parametrize("count", [0, 1, 5])
def test_too_few_samples_are_undefined(normal, count):
    scores = precision_recall(real=normal(50, 2), fake=normal(count, 2))
    assert all(score.status == "undefined" and "5-th neighbour" in score.reason for score in scores.values())


def test_too_few_for_halves_says_why_there_is_no_error_bar(normal):
    for score in precision_recall(real=normal(8, 2), fake=normal(8, 2)).values():
        assert score.status == "ok"
        assert score.stderr is None
        assert score.error_method.startswith("none: halves")


def test_features_of_two_widths_are_an_input_error(normal):
    with pytest.raises(InputError, match="4 dimensions and fake ones 3"):
        precision_recall(real=normal(9, 4), fake=normal(9, 3))
