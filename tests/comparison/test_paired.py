from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from gandiag import measured
from gandiag.comparison.paired import INDEPENDENT, NONE, PAIRED, difference
from gandiag.core import seeds
from gandiag.metrics.fid import fid
from gandiag.metrics.kid import kid
from gandiag.metrics.mode_coverage import mode_coverage
from gandiag.metrics.precision_recall import precision_recall

SIZE, DIMENSION = 300, 4


def plain(value, stderr, **changes):
    return measured(
        value,
        stderr=stderr,
        error_method="none" if stderr is None else "x",
        better="lower",
        n_real=9,
        n_fake=9,
        **changes,
    )


def draws(count, one, other, *, shared=True):
    """Real samples and the fakes of two models, shifted by `one` and `other`, drawn again and again."""
    for seed in range(count):
        generator = torch.Generator().manual_seed(seed)
        real, noise, more = (torch.randn(SIZE, DIMENSION, generator=generator, dtype=torch.float64) for _ in range(3))
        yield real, noise + torch.tensor(one), (noise if shared else more) + torch.tensor(other)


def differences(score, name, pairs):
    return [difference(score(real, one)[name], score(real, other)[name]) for real, one, other in pairs]


def covers(found, truth):
    """Whether the truth is in at least 95% of the intervals, but for three standard errors of so few draws."""
    share = np.mean([each.ci[0] <= truth <= each.ci[1] for each in found])
    return share >= 0.95 - 3 * (0.95 * 0.05 / len(found)) ** 0.5


def of_fid(real, fake):
    return fid(real=real, fake=fake, shown=0)


@pytest.mark.slow
def test_the_paired_interval_covers_the_known_difference():
    found = differences(of_fid, "fid_infinity", draws(120, [1.0, 0, 0, 0], [0.8, 0, 0, 0]))
    assert covers(found, 1.0**2 - 0.8**2)
    assert {each.method for each in found} == {PAIRED}
    spread = np.std([each.value for each in found])
    assert np.mean([each.stderr for each in found]) == pytest.approx(spread, rel=0.25)


def test_the_paired_interval_is_less_than_half_as_wide_for_near_models():
    real, one, other = next(draws(1, [1.0, 0, 0, 0], [0.95, 0, 0, 0]))
    scores = [of_fid(real, side)["fid"] for side in (one, other)]
    unpaired = np.hypot(scores[0].stderr, scores[1].stderr)
    assert difference(*scores).stderr < 0.5 * unpaired


@pytest.mark.slow
def test_unrelated_samples_are_as_independent_ones():
    found = differences(of_fid, "fid_infinity", draws(120, [1.0, 0, 0, 0], [0.8, 0, 0, 0], shared=False))
    assert covers(found, 1.0**2 - 0.8**2)


@pytest.mark.slow
def test_p_values_are_uniform_where_models_are_equally_good():
    found = differences(of_fid, "fid", draws(150, [0.7, 0, 0, 0], [0, 0.7, 0, 0]))
    p_values = [each.p_value for each in found]
    assert kstest(p_values, "uniform").pvalue > 0.01
    assert np.mean(np.array(p_values) < 0.05) <= 0.1


@pytest.mark.slow
def test_models_as_good_as_the_data_are_seldom_told_apart():
    found = differences(of_fid, "fid", draws(100, [0.0] * 4, [0.0] * 4, shared=False))
    assert covers(found, 0)


def test_kid_and_precision_and_modes_are_paired():
    real, one, other = next(draws(1, [1.0, 0, 0, 0], [0.98, 0, 0, 0]))
    scores = [
        [kid(real=real, fake=side, subsets=0)["kid"] for side in (one, other)],
        *(
            [precision_recall(real=real, fake=side, rng=seeds.generator(0, "x"))[name] for side in (one, other)]
            for name in ("precision", "recall", "density", "coverage")
        ),
        [mode_coverage(fake=5 * side)["mode_kl"] for side in (one, other)],
    ]
    for first, second in scores:
        found = difference(first, second)
        assert found.method == PAIRED
        assert found.stderr < 0.8 * np.hypot(first.stderr, second.stderr)


@pytest.mark.slow
def test_mode_divergences_of_two_uniform_models_are_covered():
    def uniform(seed):
        classes = torch.randint(0, 10, (600,), generator=torch.Generator().manual_seed(seed))
        return 10 * torch.nn.functional.one_hot(classes, 10).double()

    pairs = [[mode_coverage(fake=uniform(seed + side))["mode_kl"] for side in (0, 1000)] for seed in range(150)]
    assert covers([difference(*pair) for pair in pairs], 0)


def test_without_evidence_the_errors_are_independent():
    found = difference(plain(3.0, 0.3), plain(1.0, 0.4))
    assert found.method == INDEPENDENT
    assert (found.value, found.stderr) == pytest.approx((2.0, 0.5))
    assert found.p_value == pytest.approx(6.334e-5, rel=1e-3)  # 2 (1 - Phi(4))
    assert found.ci == pytest.approx((2 - 0.98, 2 + 0.98), abs=1e-3)


def test_a_score_without_an_error_bar_is_not_tested():
    found = difference(plain(3.0, None), plain(1.0, 0.4))
    assert (found.stderr, found.ci, found.p_value, found.method) == (None, None, None, NONE)


def test_the_difference_of_the_largest_scores_is_finite():
    part, rest = {"unit": 1e60, "values": [2**31 - 1, 1 - 2**31]}, 1e119
    paired = [
        {"pairing": {"fake": part, "real": {**part, "values": values}, "rest": rest}} for values in ([0, 1], [1, 0])
    ]
    for first, second in (({}, {}), paired):
        found = difference(plain(6e149, 1e149, details=first), plain(-6e149, 1e149, details=second))
        assert found.method == (PAIRED if first else INDEPENDENT)
        assert all(map(math.isfinite, (found.value, found.stderr, *found.ci, found.p_value)))


def test_equal_scores_are_not_told_apart_and_sure_ones_are():
    assert difference(plain(1.0, 0.0, interval=(1.0, 1.0)), plain(1.0, 0.0, interval=(1.0, 1.0))).p_value == 1
    assert difference(plain(4.0, 0.0, interval=(4.0, 4.0)), plain(1000.0, 0.0, interval=(1000.0, 1000.0))).p_value == 0


def test_what_no_half_saw_is_no_proof():
    """Halves that all agree leave the intervals, as those of shares at 0 are."""
    details = {"pairing": {"method": "half-sampling", "halves": {"unit": 0.0, "values": [0] * 40}}}
    none, little = (plain(value, 0.0, interval=(0.0, 0.01), details=details) for value in (0.0, 0.001))
    found = difference(none, little)
    assert found.method == INDEPENDENT
    assert found.p_value > 0.5
