from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.c2st import c2st
from gandiag.statistics.logistic import fit_logistic


def score(real, fake, seed=0, **settings):
    return c2st(real=real, fake=fake, rng=np.random.default_rng(seed), **settings)["c2st"]


def test_equal_distributions_are_told_by_guessing_alone():
    generator = torch.Generator().manual_seed(0)
    found = [
        score(torch.randn(100, 5, generator=generator), torch.randn(140, 5, generator=generator)) for _ in range(100)
    ]
    assert np.mean([one.value for one in found]) == pytest.approx(0.5, abs=0.015)
    rejected = np.mean([one.details["p_value"] < 0.05 for one in found])
    assert rejected <= 0.11
    low, high = np.array([one.ci95 for one in found]).T
    assert np.mean((low <= 0.5) & (high >= 0.5)) >= 0.9


def test_a_shift_has_its_closed_form(normal):
    real, fake = normal(20_000, 2), normal(20_000, 2) + torch.tensor([1.0, 0])
    best = 0.5 * (1 + torch.special.erf(torch.tensor(0.5 / 2**0.5)))  # the ideal classifier cuts half way
    assert score(real[:4000], fake[:4000]).value == pytest.approx(float(best), abs=0.02)


def test_what_no_line_can_tell_the_neighbours_do(normal):
    real, fake = normal(400, 2), 0.2 * normal(400, 2)
    found = score(real, fake)
    assert found.value < 0.65
    assert found.details["neighbours"]["accuracy"] > 0.75
    assert found.details["neighbours"]["p_value"] < 1e-9


def test_a_shift_and_a_collapse_are_worse(normal):
    real, good = normal(300, 5), normal(300, 5)
    assert score(real, good + 1).value > score(real, good).value + 0.2
    assert score(real, 0.01 * good + 1).value > 0.75


def test_copies_cannot_be_told_apart(normal):
    rows = normal(100, 4)
    found = score(rows, rows.flip(0))
    assert found.value == 0.5
    assert found.details["neighbours"]["accuracy"] == pytest.approx(0.5, abs=0.15)


def test_copies_among_the_fakes_are_on_both_sides_of_the_split(normal):
    real, few = normal(400, 8), normal(20, 8)
    found = score(real, few[torch.arange(400) % 20])
    jittered = score(real, few[torch.arange(400) % 20] + 1e-6 * normal(400, 8))
    assert found.details["neighbours"]["p_value"] < 1e-6
    assert found.details["neighbours"]["accuracy"] == pytest.approx(jittered.details["neighbours"]["accuracy"], abs=0.1)


def test_the_interval_is_exact():
    real, fake = torch.zeros(40, 1), torch.ones(40, 1)
    found = score(real, fake)
    assert found.value == 1
    assert found.ci95 == pytest.approx((0.025 ** (1 / 40), 1))
    assert found.details["p_value"] == pytest.approx(0.5**40)


def test_one_seed_gives_one_answer_in_any_order(normal):
    real, fake = normal(60, 3), normal(50, 3)
    one = score(real, fake)
    assert score(real, fake) == one
    assert score(real.flip(0), fake.roll(9, 0)) == one
    assert score(real, fake, seed=1) != one


def test_the_regression_is_at_its_minimum(normal):
    rows, second = normal(200, 6), torch.arange(200) >= 90
    found = fit_logistic(rows, second, 0.1)
    weights, bias = (
        found.weights.clone().requires_grad_(),
        torch.tensor(found.bias, dtype=torch.float64, requires_grad=True),
    )
    loss = torch.nn.functional.binary_cross_entropy_with_logits(rows @ weights + bias, second.double())
    (loss + 0.05 * weights.square().sum()).backward()
    assert weights.grad.abs().max() < 1e-5
    assert bias.grad.abs() < 1e-5


@pytest.mark.parity
def test_the_regression_equals_scikit_learn(normal):
    linear = pytest.importorskip("sklearn.linear_model")
    rows, second = normal(200, 6), torch.arange(200) >= 90
    found = fit_logistic(rows, second, 0.1)
    peer = linear.LogisticRegression(C=1 / (0.1 * 200), tol=1e-10, max_iter=1000).fit(rows.numpy(), second.numpy())
    assert found.weights.numpy() == pytest.approx(peer.coef_[0], abs=1e-5)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_samples_are_undefined(normal, count):
    assert "8 or more" in score(normal(count, 3), normal(30, 3)).reason


def test_constant_features_are_a_guess():
    assert score(torch.ones(20, 3), torch.ones(30, 3)).value == 0.5


def test_features_of_two_widths_are_an_input_error():
    with pytest.raises(InputError, match="4 dimensions and fake ones 3"):
        c2st(real=torch.ones(9, 4), fake=torch.ones(9, 3))
