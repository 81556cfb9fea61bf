from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from gandiag.core.errors import InputError
from gandiag.core.modes import ClassModes, MixtureModes
from gandiag.datasets import load_dataset
from gandiag.metrics.mode_coverage import mode_coverage
from gandiag.statistics.feature_bank import FeatureBank


def logits_of_counts(counts, confidence=20.0):
    index = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return confidence * torch.nn.functional.one_hot(index, len(counts)).double()


def mixture_bank(name, count, seed=0):
    dataset = load_dataset(name, seed=seed)
    return FeatureBank(features=dataset.read(0, count), modes=dataset.modes)


def test_a_known_histogram_has_its_counts_divergence_and_missing_modes():
    counts = [50, 30, 0, 20]
    scores = mode_coverage(fake=logits_of_counts(counts))
    shares = np.array([0.5, 0.3, 0.2])
    divergence = math.log(4) + (shares * np.log(shares)).sum()
    assert scores["modes"].value == 3
    assert scores["modes"].details["counts"] == counts
    assert scores["modes"].details["missing"] == ["2"]
    assert scores["mode_kl"].value == pytest.approx(divergence, rel=1e-12)
    assert scores["effective_modes"].value == pytest.approx(4 * math.exp(-divergence), rel=1e-12)
    assert scores["mode_kl"].params == {"direction": "fake || uniform", "log": "natural"}


def test_confidence_does_not_matter_for_the_count():
    sure, unsure = (mode_coverage(fake=logits_of_counts([5, 5], confidence))["modes"] for confidence in (50, 0.1))
    assert sure.details["counts"] == unsure.details["counts"] == [5, 5]
    assert sure.details["low_confidence"] == 0
    assert unsure.details["low_confidence"] == 1


def test_modes_at_5_needs_five_samples():
    scores = mode_coverage(fake=logits_of_counts([4, 5, 6, 1, 0]))
    assert scores["modes"].value == 4
    assert scores["modes_at_5"].value == 2


def test_stacks_are_numbered_and_named_by_channel():
    classes = torch.tensor([[0, 1, 2], [2, 1, 0], [2, 1, 0]])
    scores = mode_coverage(fake=9 * torch.nn.functional.one_hot(classes, 3).double())
    missing = scores["modes"].details["missing"]
    assert scores["modes"].value == 2
    assert len(missing) == 25
    assert not {"0-1-2", "2-1-0"} & set(missing)
    assert scores["modes"].details["counts"][2 * 9 + 1 * 3 + 0] == 2


@pytest.mark.parametrize("counts", [[100, 0, 0, 0], [1, 0, 0, 0], [25, 25, 25, 25], [1, 1, 1, 1], [97, 1, 1, 1]])
def test_the_scores_stay_in_their_bounds(counts):
    scores = mode_coverage(fake=logits_of_counts(counts))
    reached = sum(count > 0 for count in counts)
    assert math.log(4 / reached) - 1e-12 <= scores["mode_kl"].value <= math.log(4) + 1e-12
    assert 1 <= scores["effective_modes"].value <= reached + 1e-9
    for score in scores.values():
        assert score.ci95[0] - 1e-12 <= score.ci95[1]


def test_a_perfect_generator_of_the_real_frequencies_has_no_excess():
    frequencies = np.array([0.4, 0.3, 0.2, 0.1])
    modes = ClassModes(frequencies, channels=2)
    rng = np.random.default_rng(0)
    excess = []
    for _ in range(60):
        drawn = torch.from_numpy(rng.choice(4, size=(500, 2), p=frequencies))
        excess.append(
            mode_coverage(fake=9 * torch.nn.functional.one_hot(drawn, 4).double(), modes=modes)["mode_kl_excess"]
        )
    found = np.array([score.value for score in excess])
    assert abs(found.mean()) < 4 * found.std() / 60**0.5
    assert 51 <= sum(score.ci95[0] <= 0 <= score.ci95[1] for score in excess) <= 60


def test_the_excess_of_a_collapsed_generator_is_its_divergence_from_the_real_one():
    shares = np.r_[np.full(5, 0.16), np.full(5, 0.04)]
    truth = math.log(10) + (shares * np.log(shares)).sum()
    rng = np.random.default_rng(1)
    scores = [mode_coverage(fake=logits_of_counts(rng.multinomial(2000, shares)))["mode_kl_excess"] for _ in range(60)]
    assert 51 <= sum(score.ci95[0] <= truth <= score.ci95[1] for score in scores) <= 60
    assert all(score.ci95[0] > 0 for score in scores)


def test_too_few_samples_for_the_bias_are_unreliable():
    assert mode_coverage(fake=logits_of_counts([3] * 10))["mode_kl_excess"].status == "unreliable"


def test_no_samples_are_undefined():
    for name, score in mode_coverage(fake=torch.zeros(0, 4)).items():
        assert score.status == "undefined", name


@pytest.mark.parametrize("shape", [(20, 1, 10), (20, 3, 9)])
def test_logits_that_do_not_fit_the_modes_are_an_input_error(shape):
    with pytest.raises(InputError, match="3 channels of 10 classes"):
        mode_coverage(fake=torch.zeros(shape), modes=ClassModes(np.full(10, 0.1), channels=3))


def test_points_that_do_not_fit_the_mixture_are_an_input_error():
    with pytest.raises(InputError, match="3 coordinates"):
        mode_coverage(fake=FeatureBank(features=torch.zeros(9, 3)), modes=MixtureModes(np.zeros((2, 2)), 1.0))


@pytest.mark.parametrize(("name", "modes"), [("ring8", 8), ("grid25", 25)])
def test_a_perfect_sampler_of_a_mixture(name, modes):
    bank = mixture_bank(name, 2500)
    scores = mode_coverage(fake=bank, real=bank)
    assert scores["modes"].value == scores["modes_at_5"].value == modes


@pytest.mark.parametrize("name", ["ring8", "grid25"])
@pytest.mark.parametrize(("score", "truth"), [("high_quality", 1 - math.exp(-4.5)), ("mode_kl_excess", 0.0)])
def test_the_intervals_of_perfect_samplers_cover_the_truth(name, score, truth):
    """0.9889: three deviations in the plane."""
    banks = [mixture_bank(name, 2500, seed) for seed in range(60)]
    intervals = [mode_coverage(fake=bank, real=bank)[score].ci95 for bank in banks]
    assert 51 <= sum(low <= truth <= high for low, high in intervals) <= 60
    assert all(high - low < 0.02 for low, high in intervals)


def test_one_collapsed_mode_of_a_ring():
    real = mixture_bank("ring8", 10)
    fake = FeatureBank(features=torch.tensor([[0.0, 1.0]]).repeat(500, 1))
    scores = mode_coverage(fake=fake, real=real)
    assert scores["modes"].value == 1
    assert scores["mode_kl"].value == pytest.approx(math.log(8), rel=1e-12)
    assert scores["high_quality"].value == 1
    assert "(6.12e-17, 1)" not in scores["modes"].details["missing"]
    assert len(scores["modes"].details["missing"]) == 7


def test_samples_away_from_all_centres_reach_no_mode():
    real = mixture_bank("ring8", 10)
    scores = mode_coverage(fake=FeatureBank(features=torch.zeros(50, 2)), real=real)
    assert scores["modes"].value == scores["modes_at_5"].value == scores["high_quality"].value == 0
    assert scores["mode_kl"].status == scores["effective_modes"].status == "undefined"
    near = mode_coverage(fake=real, real=real)
    assert scores["modes"].params == near["modes"].params  # the params make the fingerprint


def test_in_ten_dimensions_the_radius_is_the_quantile_of_chi_squared():
    rng = np.random.default_rng(0)
    modes = MixtureModes(np.stack([np.zeros(10), np.full(10, 5.0)]), 0.5)
    points = modes.centres[rng.integers(0, 2, 20_000)] + 0.5 * rng.normal(size=(20_000, 10))
    score = mode_coverage(fake=FeatureBank(features=torch.from_numpy(points)), modes=modes)
    low, high = score["high_quality"].ci95
    assert low <= 0.988891 <= high
    expected = math.sqrt(chi2.ppf(0.9888910034617577, 10))  # 4.79, not 3
    assert score["modes"].details["limit_in_deviations"] == pytest.approx(expected, rel=1e-9)
