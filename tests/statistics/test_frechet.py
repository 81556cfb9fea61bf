from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch

from gandiag.statistics.frechet import frechet_distance, frechet_distance_of_features, frechet_influence
from gandiag.statistics.moments import Moments, moments


def gaussian(mean, covariance, count=1000):
    return Moments(count, torch.tensor(mean).double(), torch.tensor(covariance).double() * (count - 1))


def reference(mean_r, cov_r, mean_f, cov_f):
    """The textbook formula through the eigenvalues of the product."""
    values = np.linalg.eigvals(cov_r @ cov_f).astype(complex)
    return float(((mean_r - mean_f) ** 2).sum() + np.trace(cov_r + cov_f) - 2 * np.sqrt(values).real.sum())


def distance(real, fake):
    return frechet_distance_of_features(real=real, fake=fake).distance


def test_a_shift_costs_its_squared_length():
    cov = np.array([[2.0, 0.5], [0.5, 1.0]])
    found = frechet_distance(real=gaussian([0.0, 0], cov), fake=gaussian([3.0, 4], cov))
    assert found.distance == pytest.approx(25, rel=1e-12)


def test_a_scale_costs_the_squared_difference_of_the_deviations():
    found = frechet_distance(real=gaussian([0.0] * 3, np.eye(3)), fake=gaussian([0.0] * 3, 9 * np.eye(3)))
    assert found.distance == pytest.approx(3 * (3 - 1) ** 2, rel=1e-12)


def test_in_one_dimension_it_is_the_formula_of_the_line():
    found = frechet_distance(real=gaussian([1.0], [[4.0]]), fake=gaussian([-2.0], [[0.25]]))
    assert found.distance == pytest.approx(9 + (2 - 0.5) ** 2, rel=1e-12)


def test_diagonal_covariances_add_up():
    real, fake = np.array([1.0, 4, 9]), np.array([4.0, 0, 1])  # one has no spread in one direction
    found = frechet_distance(real=gaussian([0.0] * 3, np.diag(real)), fake=gaussian([0.0] * 3, np.diag(fake)))
    assert found.distance == pytest.approx(((real**0.5 - fake**0.5) ** 2).sum(), rel=1e-9)


def test_it_equals_scipys_square_root(normal):
    real, fake = normal(300, 6) @ normal(6, 6), normal(200, 6) @ normal(6, 6) + 1
    a, b = np.cov(real.numpy().T), np.cov(fake.numpy().T)
    root = scipy.linalg.sqrtm(a @ b).real
    mean = ((real.mean(0) - fake.mean(0)) ** 2).sum().item()
    assert distance(real, fake) == pytest.approx(mean + np.trace(a + b - 2 * root), rel=1e-9)


@pytest.mark.parametrize(("count", "dimension"), [(200, 5), (4, 10), (10, 10), (11, 10), (2, 3)])
def test_a_set_has_no_distance_from_itself(normal, count, dimension):
    rows = normal(count, dimension) * 100 + 5
    assert distance(rows, rows.clone()) == pytest.approx(0, abs=1e-8 * 1e4 * dimension)
    assert distance(rows, rows.flip(0)) == pytest.approx(0, abs=1e-8 * 1e4 * dimension)


def test_a_set_without_full_rank_has_no_distance_from_itself(normal):
    rows = normal(100, 3) @ normal(3, 8)
    found = frechet_distance_of_features(real=rows, fake=rows.clone())
    assert found.distance == pytest.approx(0, abs=1e-6)
    assert found.rank_deficient


@pytest.mark.parametrize("shape", [(50, 4), (5, 8)])
def test_it_is_symmetric_and_never_negative(normal, shape):
    real, fake = normal(*shape), normal(*shape) * 1e-3
    assert distance(real, fake) == pytest.approx(distance(fake, real), rel=1e-9)
    for _ in range(20):
        other = real + 1e-9 * normal(*shape)
        assert distance(real, other) >= 0


@pytest.mark.parametrize(("real_count", "fake_count"), [(6, 6), (6, 9), (40, 6), (6, 40)])
def test_fewer_samples_than_dimensions_is_exact(normal, real_count, fake_count):
    real, fake = normal(real_count, 12), 2 * normal(fake_count, 12) + 0.5
    a, b = np.cov(real.numpy().T), np.cov(fake.numpy().T)
    expected = reference(real.mean(0).numpy(), a, fake.mean(0).numpy(), b)
    found = frechet_distance_of_features(real=real, fake=fake)
    # The root of the reference's own rounding noise, sqrt(1e-15), is the least that it can be wrong by.
    assert found.distance == pytest.approx(expected, rel=1e-6)
    assert found.rank_deficient
    by_factor = frechet_distance(real=moments(real), fake=moments(fake))
    assert by_factor.distance == pytest.approx(found.distance, rel=1e-6)


def test_both_ways_agree_where_both_apply(normal):
    real, fake = normal(30, 8), normal(25, 8) @ normal(8, 8)
    padded = [torch.cat([rows, torch.zeros(len(rows), 60).double()], dim=1) for rows in (real, fake)]
    assert distance(*padded) == pytest.approx(distance(real, fake), rel=1e-9)  # 68 dimensions: by rows; 8: by Cholesky


def weighted(rows, weights):
    mean = weights @ rows
    centred = rows - mean
    count = len(rows)
    return Moments(count, mean, (centred.T * weights) @ centred * count)


def test_the_influence_is_the_derivative_with_respect_to_a_samples_weight(normal):
    real, fake = normal(300, 4), normal(200, 4) @ normal(4, 4) + 0.3
    on_real, on_fake = frechet_influence(real=real, fake=fake)
    step = 1e-5
    for sample in (0, 17, 99):
        for side, influence in (("real", on_real), ("fake", on_fake)):
            rows = {"real": real, "fake": fake}
            values = []
            for sign in (-1, 1):
                weights = torch.full((len(rows[side]),), (1 - sign * step) / len(rows[side])).double()
                weights[sample] += sign * step
                sides = {name: moments(other) for name, other in rows.items()} | {side: weighted(rows[side], weights)}
                values.append(frechet_distance(**sides).distance)
            numeric = (values[1] - values[0]) / (2 * step)
            # n / (n - 1) between the weighted and the unbiased covariance
            assert numeric == pytest.approx(float(influence[sample]), abs=0.01 * float(influence.abs().max()))


def test_the_mean_influence_is_zero(normal):
    for influence in frechet_influence(real=normal(50, 3), fake=normal(40, 3) + 2):
        assert float(influence.mean()) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("constant", ["real", "fake", "both"])
def test_constant_features_have_a_distance_and_an_influence(normal, constant):
    point = torch.tensor([1.0, 2, 3]).double()
    real = point.repeat(20, 1) if constant in ("real", "both") else normal(20, 3)
    fake = point.repeat(20, 1) if constant in ("fake", "both") else normal(20, 3)
    # The distance from a point is the squared shift and the other side's spread.
    spread = np.cov(real.numpy().T).trace() + np.cov(fake.numpy().T).trace()
    expected = ((real.mean(0) - fake.mean(0)) ** 2).sum().item() + spread
    assert distance(real, fake) == pytest.approx(expected, rel=1e-7, abs=1e-9)
    for influence in frechet_influence(real=real, fake=fake):
        assert torch.isfinite(influence).all()
