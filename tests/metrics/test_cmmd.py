from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.cmmd import METRIC, cmmd


def score(real, fake, **settings):
    return cmmd(real=real, fake=fake, **settings)["cmmd"]


def kernels(real, fake, sigma=10.0):
    sides = [
        side.double().numpy() / np.linalg.norm(side.double().numpy(), axis=1, keepdims=True) for side in (real, fake)
    ]

    def kernel(x, y):
        return np.exp(-((x[:, None] - y[None]) ** 2).sum(2) / (2 * sigma**2))

    return kernel(sides[0], sides[0]), kernel(sides[1], sides[1]), kernel(*sides)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_follows_the_definition(normal, dtype):
    real, fake = normal(60, 16, dtype=dtype), normal(40, 16, dtype=dtype) + 0.5
    own, other, cross = kernels(real, fake)
    biased = 1000 * (own.mean() + other.mean() - 2 * cross.mean())
    unbiased = 1000 * ((own.sum() - 60) / (60 * 59) + (other.sum() - 40) / (40 * 39) - 2 * cross.mean())
    found = score(real, fake)
    # In float32 the original's sums of values near 1 keep three digits of the score; these keep six.
    assert found.value == pytest.approx(unbiased, rel=1e-5 if dtype == torch.float32 else 1e-9)
    assert found.details["v_statistic"] == pytest.approx(biased, rel=1e-5 if dtype == torch.float32 else 1e-9)


def test_it_is_nearly_the_distance_of_the_mean_directions(normal):
    real, fake = normal(400, 32) + 1, normal(400, 32) - 1
    means = [torch.nn.functional.normalize(side, dim=1).mean(dim=0) for side in (real, fake)]
    assert score(real, fake).details["v_statistic"] == pytest.approx(
        10 * float((means[0] - means[1]).square().sum()), rel=0.02
    )


def test_the_length_of_the_features_does_not_matter(normal):
    real, fake = normal(50, 6), normal(50, 6) + 1
    longer = fake * torch.linspace(0.1, 9, 50)[:, None].double()
    assert score(real, longer).value == pytest.approx(score(real, fake).value, rel=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.6])
def test_the_interval_covers_the_truth_for_equal_and_for_different_distributions(shift):
    generator = torch.Generator().manual_seed(2)

    def draw(count, shift):
        return torch.randn(count, 6, generator=generator) + shift

    reference = [score(draw(3000, 0.0), draw(3000, shift)).value for _ in range(3)]
    truth = float(np.mean(reference)) if shift else 0.0
    found = [score(draw(120, 0.0), draw(80, shift)) for _ in range(300)]
    low, high = np.array([one.ci95 for one in found]).T
    assert 0.91 <= np.mean((low <= truth) & (truth <= high)) <= 0.985


def test_a_shift_and_a_collapse_are_worse(normal):
    real, good = normal(200, 8) + 1, normal(200, 8) + 1
    assert score(real, good - 1).value > score(real, good).value + 0.1
    assert score(real, 0.05 * good + 1).value > score(real, good).value + 0.1


def test_a_set_and_its_copy_are_at_or_below_zero(normal):
    rows = normal(60, 4)
    found = score(rows, rows.clone())
    assert found.value < 0
    assert found.details["v_statistic"] == pytest.approx(0, abs=1e-9)


def test_degenerate_samples(normal):
    assert score(normal(1, 3), normal(9, 3)).status == "undefined"
    assert score(torch.ones(20, 3), torch.ones(30, 3)).value == 0
    assert score(torch.zeros(20, 3), normal(30, 3)).status == "ok"


def test_it_asks_for_clip():
    assert METRIC.extractor == "clip-vit-l-14-336px"


def test_features_of_two_widths_are_an_input_error():
    with pytest.raises(InputError, match="4 dimensions and fake ones 3"):
        cmmd(real=torch.ones(9, 4), fake=torch.ones(9, 3))
