from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.fid import fid


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parity
@pytest.mark.parametrize(("n", "d"), [(400, 16), (300, 64)])
def test_it_equals_torch_fidelity(normal, n, d):
    peer = pytest.importorskip("torch_fidelity.metric_fid")
    real, fake = normal(n, d, dtype=torch.float32), (0.9 * normal(n + 50, d) + 0.1).float()
    statistics = [peer.fid_features_to_statistics(side) for side in (real, fake)]
    expected = peer.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert fid(real=real, fake=fake)["fid"].value == pytest.approx(expected, rel=1e-6)


def test_gaussians_have_their_closed_form_distance(normal):
    real, fake = normal(20_000, 3), torch.tensor([1.0, 2, 0.5]) * normal(20_000, 3) + torch.tensor([0.5, 0, 0])
    scores = fid(real=real, fake=fake)
    truth = 0.25 + (2 - 1) ** 2 + 0.5**2
    for name in ("fid", "fid_infinity"):
        assert abs(scores[name].value - truth) < 4 * scores[name].stderr
        assert scores[name].stderr < 0.05 * truth


def test_the_interval_of_fid_infinity_covers_the_truth_and_refuses_another():
    generator = torch.Generator().manual_seed(1)
    covered, refused = 0, 0
    for _ in range(60):
        real, fake = (torch.randn(300, 8, generator=generator) for _ in range(2))
        truth = 8 * 0.5**2 + 0.5**2
        score = fid(real=real, fake=1.5 * fake + 0.5 / 8**0.5, rng=rng())["fid_infinity"]
        low, high = score.ci95
        covered += low <= truth <= high
        refused += not low <= truth + 5 * score.stderr <= high
    assert 51 <= covered <= 60
    assert refused >= 55  # 5 - 1.96 standard errors away


def test_the_bias_is_gone_from_fid_infinity():
    generator = torch.Generator().manual_seed(2)
    pairs = [[torch.randn(200, 8, generator=generator) for _ in range(2)] for _ in range(30)]
    scores = [fid(real=real, fake=fake, rng=rng()) for real, fake in pairs]
    plain, free = (np.array([score[name].value for score in scores]) for name in ("fid", "fid_infinity"))
    assert plain.min() > 0.1  # the truth is 0
    assert abs(free.mean()) < 4 * free.std() / 30**0.5 + 0.01


def test_a_set_has_no_distance_from_itself(normal):
    rows = normal(100, 5)
    assert fid(real=rows, fake=rows.clone())["fid"].value == pytest.approx(0, abs=1e-9)


def test_one_generator_gives_one_number_and_order_does_not_matter(normal):
    real, fake = normal(101, 4), normal(90, 4) + 1
    one, two = fid(real=real, fake=fake, rng=rng()), fid(real=real, fake=fake, rng=rng())
    assert one == two
    assert fid(real=real, fake=fake) == fid(real=real, fake=fake)
    shuffled = fid(real=real.flip(0), fake=fake[torch.randperm(90, generator=torch.Generator())], rng=rng())
    assert shuffled["fid"].value == pytest.approx(one["fid"].value, rel=1e-10)
    assert shuffled["fid"].stderr == pytest.approx(one["fid"].stderr, rel=1e-10)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_samples_are_undefined(count):
    for score in fid(real=torch.ones(count, 3), fake=torch.randn(5, 3)).values():
        assert score.status == "undefined"
        assert "2 samples" in score.reason


def test_a_few_samples_have_no_extrapolation_and_a_warning(normal):
    scores = fid(real=normal(7, 9), fake=normal(7, 9))
    assert scores["fid_infinity"].status == "undefined"
    assert scores["fid"].status == "unreliable"
    assert scores["fid"].details["rank_deficient"] is True


@pytest.mark.parametrize("constant", ["real", "fake", "both"])
def test_constant_features_have_a_distance(normal, constant):
    real = torch.ones(50, 3) if constant in ("real", "both") else normal(50, 3)
    fake = torch.ones(50, 3) if constant in ("fake", "both") else normal(50, 3)
    assert fid(real=real, fake=fake)["fid"].value == pytest.approx(
        float(((real.mean(0) - fake.mean(0)) ** 2).sum() + real.double().var(0).sum() + fake.double().var(0).sum()),
        abs=1e-6,
    )


def test_features_of_two_widths_are_an_input_error():
    with pytest.raises(InputError, match="4 dimensions and fake ones 3"):
        fid(real=torch.ones(9, 4), fake=torch.ones(9, 3))
