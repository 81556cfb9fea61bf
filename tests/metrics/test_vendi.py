from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.vendi import vendi


def score(fake, **settings):
    return vendi(fake=fake, **settings)["vendi"]


def naive(rows, order):
    """The definition: eigenvalues of the n x n matrix of cosine similarities over n."""
    rows = rows.double().numpy()
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(rows @ rows.T / len(rows))
    values = values[values > 1e-12]
    if order == 1:
        return np.exp(-(values * np.log(values)).sum())
    if np.isinf(order):
        return 1 / values.max()
    return (values**order).sum() ** (1 / (1 - order))


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0, float("inf")])
@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 40)])
def test_it_follows_the_definition_whichever_matrix_is_smaller(normal, n, d, order):
    rows = normal(n, d) + 0.5
    assert score(rows, order=order).value == pytest.approx(naive(rows, order), rel=1e-9)


@pytest.mark.parity
def test_it_equals_the_vendi_score_package(normal):
    peer = pytest.importorskip("vendi_score.vendi")
    rows = normal(80, 6) + 0.3
    assert score(rows).value == pytest.approx(peer.score_dual(rows.numpy()), rel=1e-9)


def test_orthogonal_groups_are_counted():
    rows = torch.eye(6)[:4].repeat(5, 1) * torch.linspace(1, 3, 20)[:, None]
    for order in (0.5, 1.0, 2.0, float("inf")):
        assert score(rows, order=order).value == pytest.approx(4, rel=1e-9)


def test_copies_count_once_and_a_collapse_is_worse(normal):
    rows = normal(200, 8)
    assert score(rows.repeat(2, 1)).value == pytest.approx(score(rows).value, rel=1e-9)
    assert score(rows[:1].repeat(50, 1)).value == pytest.approx(1, rel=1e-9)
    assert score(rows[:3].repeat(50, 1)).value < 3.001 < score(rows).value


def test_the_order_of_the_rows_and_the_real_side_do_not_matter(normal):
    rows = normal(50, 4)
    assert vendi(real=normal(9, 3), fake=rows.flip(0))["vendi"].value == pytest.approx(score(rows).value, rel=1e-12)


@pytest.mark.parametrize("order", [1.0, 2.0, float("inf")])
def test_the_interval_covers_the_expectation_at_that_n(order):
    generator = torch.Generator().manual_seed(1)
    scales = torch.linspace(0.2, 2, 10)

    def draw():
        return score(torch.randn(200, 10, generator=generator) * scales + 0.3, order=order)

    found = [draw() for _ in range(400)]
    expectation = np.mean([one.value for one in found])
    low, high = np.array([one.ci95 for one in found]).T
    assert 0.91 <= np.mean((low <= expectation) & (expectation <= high)) <= 0.985


def test_degenerate_samples(normal):
    assert score(normal(0, 3)).status == "undefined"
    assert score(torch.ones(1, 3)).error_method.startswith("none")
    assert score(torch.ones(9, 3)).value == pytest.approx(1)
    zero = torch.cat([torch.zeros(2, 3), torch.ones(5, 3)])
    assert "2 samples have features of length 0" in score(zero).reason
    assert "order" in score(torch.ones(9, 3), order=0).reason
    assert score(normal(9, 30)).status == "unreliable"
    with pytest.raises(InputError, match="finite"):
        score(torch.full((4, 2), float("nan")))
