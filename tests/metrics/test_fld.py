from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.fld import fld
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.gaussian_mixture import Mixture, fit_mixture, likelihood


def bank(train, held_out):
    return FeatureBank(features=train, held_out=FeatureBank(features=held_out))


def scores(train, held_out, fakes, seed=0):
    return fld(real=bank(train, held_out), fake=fakes, rng=np.random.default_rng(seed))


def test_the_likelihood_is_that_of_the_mixture(normal):
    centres, points, log_variances = normal(30, 5), normal(40, 5), 0.3 * normal(30)
    spread = log_variances.exp().sqrt()[:, None].expand(30, 5)
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.ones(30, dtype=torch.float64)),
        torch.distributions.Independent(torch.distributions.Normal(centres, spread), 1),
    )
    found = likelihood(Mixture(centres, log_variances), points)
    torch.testing.assert_close(found.log, mixture.log_prob(points))


def test_the_jackknife_leaves_each_centre_out(normal):
    centres, points, log_variances = normal(12, 3), normal(20, 3), 0.3 * normal(12)
    means = []
    for index in range(12):
        kept = torch.arange(12) != index
        means.append(float(likelihood(Mixture(centres[kept], log_variances[kept]), points).log.mean()))
    variance = 11 / 12 * np.square(np.array(means) - np.mean(means)).sum()
    assert likelihood(Mixture(centres, log_variances), points).jackknife_variance == pytest.approx(variance)


def test_the_fit_is_that_of_adam_on_the_likelihood(normal):
    """The authors' recipe, written with automatic differentiation."""
    centres, points = normal(60, 8), normal(80, 8)
    distances = (points[:, None] - centres).square().sum(dim=2)
    to_mean = 0.81 * (points - points.mean(dim=0)).square().sum(dim=1, keepdim=True)
    values = ((distances.amin(dim=0) + 1e-3) / 8).log().requires_grad_()
    background = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([values, background], lr=0.5)
    for _ in range(50):
        near = -0.5 * distances / values.exp() - 4 * (values + np.log(2 * np.pi)) - np.log(60)
        far = -0.5 * to_mean / background.exp() - 4 * (background + np.log(2 * np.pi))
        loss = -torch.cat([near, far], dim=1).logsumexp(dim=1).mean() / 8
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.data.clamp_(-40, 20)
    # Adam divides tiny slopes by tiny sizes, so that rounding moves the variances of centres that nobody needs.
    mixture = fit_mixture(centres, points)
    found, expected = (likelihood(each, points).log.mean() for each in (mixture, Mixture(centres, values.detach())))
    assert float(found) == pytest.approx(float(expected), rel=1e-4)


def test_worse_fakes_and_copies_score_worse(normal):
    def two_modes(count):
        return normal(count, 6) + 6 * (torch.arange(count) % 2)[:, None]

    train, held_out = two_modes(400), two_modes(200)
    perfect = scores(train, held_out, two_modes(200))
    assert abs(perfect["fld"].value) < 4 * perfect["fld"].stderr
    assert abs(perfect["fld_gap"].value) < 30
    shifted = scores(train, held_out, two_modes(200) + 2)
    dropped = scores(train, held_out, normal(200, 6))
    for worse in (shifted, dropped):
        assert worse["fld"].value > 5 * perfect["fld"].stderr
    copied = scores(train, held_out, train[:200].clone())
    assert copied["fld"].value > 1_000
    assert copied["fld_gap"].value < -1_000


def test_a_gaussian_data_set_is_described_by_one_wide_gaussian(normal):
    """What the measure cannot see: the paper's own limit, where the data have the mixture's shape."""
    collapsed = scores(normal(400, 6), normal(200, 6), 0.05 * normal(200, 6))
    assert collapsed["fld"].value < 0


def test_a_few_copies_are_punished_by_the_gap(normal):
    train, held_out, fakes = normal(300, 8), normal(150, 8), normal(150, 8)
    mixed = torch.cat([train[:30], fakes[30:]])
    honest, copied = scores(train, held_out, fakes), scores(train, held_out, mixed)
    assert copied["fld_gap"].value < honest["fld_gap"].value - 10


def test_the_interval_covers_the_expectation():
    generator = torch.Generator().manual_seed(4)

    def draw():
        train, held_out, fakes = (torch.randn(count, 4, generator=generator) for count in (120, 80, 60))
        return scores(train, held_out, 1.3 * fakes)["fld"]

    drawn = [draw() for _ in range(60)]
    expectation = np.mean([score.value for score in drawn])
    covered = sum(low <= expectation <= high for low, high in (score.ci95 for score in drawn))
    assert covered >= 51
    spread = np.std([score.value for score in drawn])
    assert 0.6 < np.median([score.stderr for score in drawn]) / spread < 1.7


def test_one_seed_gives_one_number_and_order_does_not_matter(normal):
    train, held_out, fakes = normal(80, 4), normal(50, 4), normal(40, 4)
    assert scores(train, held_out, fakes) == scores(train, held_out, fakes)
    turned = scores(train.flip(0), held_out, fakes)["fld"].value
    assert turned == pytest.approx(scores(train, held_out, fakes)["fld"].value, abs=0.05)
    assert scores(train, held_out, fakes, seed=1)["fld"].value != turned


def test_a_known_baseline_replaces_the_measured_one(normal):
    real = bank(normal(80, 4), normal(50, 4))
    fakes = normal(40, 4)
    found = fld(real=real, fake=fakes)["fld"]
    again = fld(real=real, fake=fakes, baseline_nll=found.details["baseline_nll"])["fld"]
    assert again.value == pytest.approx(found.value)


@pytest.mark.parametrize(("train", "held_out", "fakes"), [(3, 9, 9), (9, 1, 9), (9, 9, 1), (9, 9, 0)])
def test_too_few_samples_are_undefined(normal, train, held_out, fakes):
    for score in scores(normal(train, 3), normal(held_out, 3), normal(fakes, 3)).values():
        assert score.status == "undefined"
        assert "too few" in score.reason


def test_constant_samples_set_no_scale():
    ones = torch.ones(20, 3)
    for score in scores(ones, ones, ones).values():
        assert "no scale" in score.reason


def test_what_is_missing_is_an_input_error(normal):
    with pytest.raises(InputError, match="held out"):
        fld(real=FeatureBank(features=normal(9, 3)), fake=normal(9, 3))
    with pytest.raises(InputError, match="4 dimensions and fake ones 3"):
        fld(real=bank(normal(9, 4), normal(9, 4)), fake=normal(9, 3))


def test_a_set_of_copies_is_marked(normal):
    train, held_out = normal(100, 4), normal(80, 4)
    bank = FeatureBank(features=train, held_out=FeatureBank(features=held_out))
    scores = fld(real=bank, fake=train.clone())
    assert {score.status for score in scores.values()} == {"unreliable"}
    assert "copies" in scores["fld"].reason
