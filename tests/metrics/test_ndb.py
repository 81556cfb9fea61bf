from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics import ndb as module
from gandiag.metrics.ndb import ndb
from gandiag.statistics.kmeans import assign, fit_centres


def scores(real, fake, seed=0, **settings):
    return ndb(real=real, fake=fake, rng=np.random.default_rng(seed), **{"bins": 20, **settings})


def test_five_percent_of_the_bins_differ_for_equal_distributions():
    generator = torch.Generator().manual_seed(0)
    found = [
        scores(torch.randn(1600, 4, generator=generator), torch.randn(800, 4, generator=generator)) for _ in range(60)
    ]
    shares = np.array([one["ndb"].value for one in found])  # 1,200 tests
    assert abs(shares.mean() - 0.05) < 0.02
    divergence = np.mean([one["ndb_jsd"].value for one in found])
    assert divergence == pytest.approx(found[0]["ndb_jsd"].details["floor"], rel=0.1)


def test_counting_the_samples_that_placed_the_bins_rejects_too_often_in_high_dimensions():
    generator = torch.Generator().manual_seed(0)
    pairs = [[torch.randn(count, 512, generator=generator) for count in (800, 800)] for _ in range(10)]
    found = [scores(real, fake)["ndb"] for real, fake in pairs]
    assert np.mean([one.value for one in found]) < 0.1
    assert np.mean([one.details["ndb_same_half"] for one in found]) > 0.2


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_interval_of_the_divergence_covers_its_expectation(shift):
    rng = np.random.default_rng(0)
    p = np.full(20, 0.05)
    q = p * np.exp(shift * np.linspace(-1, 1, 20))
    q /= q.sum()
    covered, values, intervals = 0, [], []
    for _ in range(400):
        one, other = rng.multinomial(600, p).astype(float), rng.multinomial(400, q).astype(float)
        value, first, second = module._divergence(one, other)
        floor = 19 * (1 / 600 + 1 / 400) / 8
        interval = module.distance_error(value - floor, first, second, floor).interval
        values.append(value)
        intervals.append((interval[0] + floor, interval[1] + floor))
    truth = np.mean(values)
    covered = np.mean([low <= truth <= high for low, high in intervals])
    assert 0.91 <= covered <= 0.985


def test_the_z_score_and_the_divergence_have_their_closed_forms():
    one, other = np.array([30.0, 70, 0]), np.array([50.0, 50, 0])
    pooled = 0.4
    expected = -0.2 / math.sqrt(pooled * 0.6 * 0.02)
    assert module._z(one, other) == pytest.approx([expected, -expected, 0])
    assert module._divergence(np.array([9.0, 0]), np.array([0.0, 4]))[0] == pytest.approx(math.log(2))
    assert module._divergence(one, one)[0] == 0


def test_a_shift_a_collapse_and_a_lost_mode_are_worse(normal):
    real, good = normal(1600, 3), normal(800, 3)
    fair = scores(real, good)
    for bad in (good + 1, 0.1 * good, good[good[:, 0] > 0].repeat(2, 1)):
        found = scores(real, bad)
        assert found["ndb"].value > fair["ndb"].value + 0.3
        assert found["ndb_jsd"].value > fair["ndb_jsd"].value + 0.02


def test_one_seed_gives_one_answer_in_any_order(normal):
    real, fake = normal(200, 3), normal(150, 3)
    one = scores(real, fake)
    assert scores(real, fake) == one
    moved = scores(real.flip(0), fake.roll(9, 0))
    assert moved["ndb"].value == one["ndb"].value
    assert moved["ndb_jsd"].value == pytest.approx(one["ndb_jsd"].value, rel=1e-9)


def test_a_set_against_its_copy_differs_in_few_bins(normal):
    rows = normal(1000, 4)
    assert scores(rows, rows.clone())["ndb"].value <= 0.1


def test_constant_features_fill_one_bin():
    found = scores(torch.ones(60, 3), torch.ones(60, 3))
    assert found["ndb"].value == 0
    assert found["ndb"].details["used_bins"] == 1


@pytest.mark.parametrize(("n", "m"), [(0, 50), (39, 50), (50, 19)])
def test_too_few_samples_are_undefined(normal, n, m):
    assert all(score.status == "undefined" for score in scores(normal(n, 3), normal(m, 3)).values())


def test_few_samples_a_bin_are_unreliable(normal):
    assert scores(normal(60, 3), normal(60, 3))["ndb"].status == "unreliable"


def test_features_of_two_widths_are_an_input_error():
    with pytest.raises(InputError, match="4 dimensions and fake ones 3"):
        ndb(real=torch.ones(9, 4), fake=torch.ones(9, 3))


def test_k_means_finds_blobs_that_lie_apart(normal):
    blobs = torch.tensor([[0.0, 0], [50, 0], [0, 50], [50, 50]]).double()
    points = (blobs[:, None] + normal(4, 40, 2)).flatten(0, 1)
    centres = fit_centres(points, 4, np.random.default_rng(0))
    assert torch.cdist(blobs, centres).min(dim=1).values.max() < 1
    assert sorted(torch.bincount(assign(points, centres)).tolist()) == [40] * 4
    assert len(fit_centres(points[:1].repeat(9, 1), 4, np.random.default_rng(0))) == 1
