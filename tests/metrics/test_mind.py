from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.mind import mind


def score(real, fake, seed=0, **settings):
    return mind(real=real, fake=fake, rng=np.random.default_rng(seed), **{"projections": 50, **settings})["mind"]


def naive(real, fake, projections):
    """The paper's formula, 3 d / (n M) sum over directions and ranks, with the directions of torch-fidelity."""
    d = real.shape[1]
    drawn = torch.randn(projections, d, generator=torch.Generator().manual_seed(2020)).double().numpy()
    total = 0.0
    for direction in drawn:
        unit = direction / np.linalg.norm(direction)
        total += ((np.sort(real.double().numpy() @ unit) - np.sort(fake.double().numpy() @ unit)) ** 2).mean()
    return 3 * d * total / projections


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_follows_the_paper(normal, dtype):
    real, fake = normal(90, 12, dtype=dtype), (1.3 * normal(90, 12) + 0.2).to(dtype)
    assert score(real, fake, projections=40).value == pytest.approx(naive(real, fake, 40), rel=1e-5)


@pytest.mark.parity
def test_it_equals_torch_fidelity(normal):
    peer = pytest.importorskip("torch_fidelity.metric_mind")  # from torch-fidelity 0.5
    real, fake = normal(200, 16, dtype=torch.float32), normal(200, 16, dtype=torch.float32) + 0.3
    expected = peer.mind_features_to_metric(
        fake, real, mind_num_projections=100, cuda=False, rng_seed=2020, verbose=False
    )
    assert score(real, fake, projections=100).value == pytest.approx(expected["monge_inception_distance"], rel=1e-5)


def test_a_pure_shift_scores_three_times_its_square(normal):
    rows, shift = normal(300, 8), torch.tensor([1.0, 0, 0, 2, 0, 0, 0, 0]).double()
    found = score(rows, rows + shift, projections=4000, splits=0)
    assert found.value == pytest.approx(3 * 5, rel=0.05)  # the mean over directions of (u'shift)^2 is 5 / 8


def test_a_pure_scale_has_its_closed_form(normal):
    rows = normal(20_000, 4)
    found = score(rows, 1.5 * rows, projections=200, splits=0)
    assert found.value == pytest.approx(3 * 4 * 0.25, rel=0.03)


def test_repeating_all_samples_of_a_side_changes_nothing(normal):
    real, fake = normal(60, 5), normal(60, 5) + 0.5
    whole = score(real, fake, splits=0).value
    assert score(real, fake.repeat(3, 1), splits=0).value == pytest.approx(whole, rel=1e-9)
    assert score(real.repeat(2, 1), fake.repeat(3, 1), splits=0).value == pytest.approx(whole, rel=1e-9)


def test_a_set_has_no_distance_from_itself(normal):
    rows = normal(64, 5)
    found = score(rows, rows.flip(0))
    assert (found.value, found.stderr, found.details["extrapolated"]) == (0, 0, 0)


def test_a_shift_and_a_collapse_are_worse(normal):
    real, good = normal(300, 6), normal(300, 6)
    assert score(real, good + 0.5).value > score(real, good).value + 0.5
    assert score(real, 0.1 * good).value > score(real, good).value + 0.5


def test_the_value_depends_neither_on_the_seed_nor_on_the_order(normal):
    real, fake = normal(101, 4), normal(90, 4) + 1
    one = score(real, fake)
    assert score(real, fake) == one
    assert score(real.flip(0), fake.roll(7, 0)).value == pytest.approx(one.value, rel=1e-12)
    assert score(real.flip(0), fake.roll(7, 0)).stderr == pytest.approx(one.stderr, rel=1e-9)
    assert score(real, fake, seed=1).value == one.value
    assert score(real, fake, seed=1).stderr != one.stderr


def test_the_extrapolated_value_has_little_bias():
    generator = torch.Generator().manual_seed(4)
    pairs = [[torch.randn(150, 8, generator=generator) for _ in range(2)] for _ in range(40)]
    found = [score(real, fake) for real, fake in pairs]
    plain, free = (np.array(part) for part in zip(*((s.value, s.details["extrapolated"]) for s in found), strict=True))
    assert plain.min() > 0  # the truth is 0
    assert abs(free.mean()) < 0.25 * plain.mean()


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.15, 0.5])
def test_the_interval_covers_the_expectation(shift):
    generator = torch.Generator().manual_seed(5)

    def draw(splits):
        real, fake = (torch.randn(200, 8, generator=generator) for _ in range(2))
        return score(real, fake + shift, splits=splits)

    expectation = np.mean([draw(0).value for _ in range(600)])
    low, high = np.array([draw(16).ci95 for _ in range(200)]).T
    assert 0.90 <= np.mean((low <= expectation) & (expectation <= high)) <= 1


def test_degenerate_samples(normal):
    assert score(normal(0, 3), normal(9, 3)).status == "undefined"
    few = score(normal(5, 3), normal(9, 3))
    assert few.error_method.startswith("none: 8 samples")
    assert score(torch.ones(20, 3), torch.ones(30, 3)).value == 0


def test_features_of_two_widths_are_an_input_error():
    with pytest.raises(InputError, match="4 dimensions and fake ones 3"):
        mind(real=torch.ones(9, 4), fake=torch.ones(9, 3))
