from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError, UsageError
from gandiag.metrics.kid import kid
from gandiag.statistics import kernels


def score(real, fake, **settings):
    return kid(real=real, fake=fake, **{"subsets": 0, **settings})["kid"]


def gaussian_moments(mean, covariance):
    """Second and third raw moments of a Gaussian."""
    second = covariance + torch.outer(mean, mean)
    third = torch.einsum("i,j,k->ijk", mean, mean, mean)
    for order in ("i,jk->ijk", "j,ik->ijk", "k,ij->ijk"):
        third = third + torch.einsum(order, mean, covariance)
    return mean, second, third


def true_discrepancy(one, other):
    """MMD^2 of two distributions from their moments: (1 + t / d)^3 is a polynomial in t = x'y."""
    d = len(one[0])
    products = [
        [float((a * b).sum()) for a, b in zip(p, q, strict=True)] for p, q in ((one, one), (other, other), (one, other))
    ]
    own, others, cross = (3 * p[0] / d + 3 * p[1] / d**2 + p[2] / d**3 for p in products)
    return own + others - 2 * cross


def naive(real, fake):
    real, fake = real.double().numpy(), fake.double().numpy()
    n, m, d = len(real), len(fake), real.shape[1]
    within = [(x @ x.T / d + 1) ** 3 for x in (real, fake)]
    sums = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in within]
    return sum(sums) - 2 * ((real @ fake.T / d + 1) ** 3).sum() / (n * m)


@pytest.mark.parity
def test_the_subsets_equal_torch_fidelity(normal):
    peer = pytest.importorskip("torch_fidelity.metric_kid")
    real, fake = normal(90, 12), 0.9 * normal(70, 12) + 0.1
    details = score(real, fake, subsets=20, subset_size=40).details
    expected = peer.kid_features_to_metric(fake, real, kid_subsets=20, kid_subset_size=40, rng_seed=2020, verbose=False)
    assert details["subset_mean"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-9)
    assert details["subset_std"] == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-9)


@pytest.mark.parity
def test_the_literatures_subsets_equal_torch_fidelity_in_its_own_precision(normal):
    peer = pytest.importorskip("torch_fidelity.metric_kid")
    real, fake = normal(1100, 64, dtype=torch.float32), (1.2 * normal(1200, 64) + 0.3).float()
    details = kid(real=real, fake=fake)["kid"].details
    expected = peer.kid_features_to_metric(fake, real, verbose=False)
    assert details["subset_mean"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-6)
    assert details["subset_std"] == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-4)


def test_it_is_the_u_statistic_over_all_pairs(normal, monkeypatch):
    real, fake = normal(50, 7), normal(70, 7) + 0.2
    assert score(real, fake).value == pytest.approx(naive(real, fake), rel=1e-12)
    whole = score(real, fake, subsets=5, subset_size=20)
    monkeypatch.setattr(kernels, "TILE", 16)  # whatever the tiles
    tiled = score(real, fake, subsets=5, subset_size=20)
    assert tiled.value == pytest.approx(whole.value, rel=1e-12)
    assert tiled.stderr == pytest.approx(whole.stderr, rel=1e-9)
    for name in ("subset_mean", "subset_std"):
        assert tiled.details[name] == pytest.approx(whole.details[name], rel=1e-9)


def test_gaussians_have_their_closed_form(normal):
    deviations, shift = torch.tensor([1.0, 2, 0.5]).double(), torch.tensor([0.5, 0, -0.3]).double()
    truth = true_discrepancy(
        gaussian_moments(torch.zeros(3).double(), torch.eye(3).double()),
        gaussian_moments(shift, torch.diag(deviations**2)),
    )
    found = score(normal(6000, 3), normal(6000, 3) * deviations + shift)
    assert abs(found.value - truth) < 4 * found.stderr
    assert found.stderr < 0.1 * truth


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5])
def test_the_interval_covers_the_truth_for_equal_and_for_different_distributions(shift):
    generator = torch.Generator().manual_seed(3)
    truth = true_discrepancy(*(gaussian_moments(torch.full((6,), s), torch.eye(6)) for s in (0.0, shift)))

    def draw(count, shift):
        return torch.randn(count, 6, generator=generator) + shift

    found = [score(draw(80, 0.0), draw(120, shift)) for _ in range(300)]
    values, (low, high) = np.array([one.value for one in found]), np.array([one.ci95 for one in found]).T
    assert 0.91 <= np.mean((low <= truth) & (truth <= high)) <= 0.985
    assert abs(values.mean() - truth) < 4 * values.std() / 300**0.5  # unbiased


def test_a_shift_and_a_collapse_are_worse(normal):
    real, good = normal(300, 5), normal(300, 5)
    assert score(real, good + 1).value > score(real, good).value + 0.1
    assert score(real, 0.1 * good).value > score(real, good).value + 0.1


def test_a_set_and_its_copy_are_at_or_below_zero(normal):
    rows = normal(100, 5)
    assert score(rows, rows.clone()).value < 0


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_samples_are_undefined(normal, count):
    found = score(normal(count, 3), normal(9, 3))
    assert found.status == "undefined"
    assert "2 or more" in found.reason


def test_few_samples_say_what_they_lack(normal):
    found = kid(real=normal(3, 3), fake=normal(9, 3))["kid"]
    assert found.error_method.startswith("none: 4")
    assert found.details == {
        "subset_mean": None,
        "subset_std": None,
        "subset_reason": "3 samples hold no subset of 1000",
    }


def test_constant_features_have_no_spread():
    found = score(torch.ones(20, 3), torch.ones(30, 3))
    assert found.value == 0
    assert found.stderr == pytest.approx(0, abs=1e-6)


def test_features_of_two_widths_are_an_input_error():
    with pytest.raises(InputError, match="4 dimensions and fake ones 3"):
        kid(real=torch.ones(9, 4), fake=torch.ones(9, 3))


@pytest.mark.parity
def test_the_mean_over_subsets_can_be_the_value(normal):
    peer = pytest.importorskip("torch_fidelity.metric_kid")
    real, fake = normal(1200, 16), 1.1 * normal(1300, 16)
    found = kid(real=real, fake=fake, estimator="subsets", subsets=20)["kid"]
    expected = peer.kid_features_to_metric(fake, real, kid_subsets=20, verbose=False)
    assert found.value == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-6)
    assert found.ci95[0] < found.value < found.ci95[1]
    assert kid(real=real[:900], fake=fake, estimator="subsets")["kid"].status == "undefined"
    with pytest.raises(UsageError, match="estimator"):
        kid(real=real, fake=fake, estimator="mean")
