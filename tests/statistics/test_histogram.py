from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.core.errors import InternalError
from gandiag.statistics.histogram import (
    check_divergence,
    count_stderr,
    divergence_from_uniform,
    population_divergence,
    sampled_divergence,
)

MNIST = np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]) / 60_000


def uniform(count):
    return np.full(count, 1 / count)


def test_the_divergence_is_that_of_a_known_histogram():
    assert divergence_from_uniform(np.array([0.5, 0.5, 0, 0])) == pytest.approx(math.log(2), rel=1e-12)
    assert divergence_from_uniform(np.array([0.75, 0.25])) == pytest.approx(
        0.75 * math.log(1.5) + 0.25 * math.log(0.5), rel=1e-12
    )


# research/modes.md, section 1.5: exact means by an independent sum, deviations by simulation.
@pytest.mark.parametrize(
    ("modes", "samples", "mean", "deviation", "tolerance"),
    [
        (1000, 2_500, 0.22293, 0.0097, 0.0003),
        (1000, 10_000, 0.05089, 0.0023, 0.0001),
        (1000, 26_000, 0.01934, 0.00086, 0.00002),
        (25, 2_500, 0.00481, 0.00136, 0.00004),
        (10, 1_000, 0.00451, 0.0021, 0.00006),
        (10, 10_000, 0.00045, 0.00021, 0.00001),
        (8, 2_500, 0.00140, 0.00073, 0.00003),
    ],
)
def test_the_floor_of_a_perfect_generator(modes, samples, mean, deviation, tolerance):
    floor = sampled_divergence(samples, uniform(modes))
    assert floor.mean == pytest.approx(mean, abs=6e-6)
    assert floor.deviation == pytest.approx(deviation, abs=tolerance)


def test_the_floor_with_the_digit_frequencies_of_mnist():
    shares = np.einsum("i,j,k->ijk", MNIST, MNIST, MNIST).ravel()
    floor = sampled_divergence(26_000, shares)
    assert floor.mean == pytest.approx(0.0236, abs=0.0001)
    assert floor.deviation == pytest.approx(0.0010, abs=0.0001)


def test_the_floor_equals_an_enumeration_of_all_draws():
    shares, samples = np.array([0.6, 0.4]), 5
    expected = sum(
        math.comb(samples, k)
        * shares[0] ** k
        * shares[1] ** (samples - k)
        * divergence_from_uniform(np.array([k, samples - k]) / samples)
        for k in range(samples + 1)
    )
    assert sampled_divergence(samples, shares).mean == pytest.approx(expected, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=20).filter(any))
def test_the_divergence_stays_in_its_bounds(counts):
    counts = np.array(counts)
    divergence = divergence_from_uniform(counts / counts.sum())
    check_divergence(divergence, counts)
    assert 0 <= divergence <= math.log(len(counts)) + 1e-12


@pytest.mark.parametrize("divergence", [-0.1, math.log(2) - 0.01, math.log(4) + 0.01])
def test_a_divergence_out_of_its_bounds_is_our_fault(divergence):
    with pytest.raises(InternalError, match="breaks"):
        check_divergence(divergence, np.array([3, 1, 0, 0]))


@pytest.mark.parametrize("at_least", [1, 2, 5])
def test_the_error_of_a_count_is_its_jackknife(at_least):
    counts = np.array([1, 1, 1, 2, 2, 5, 5, 9, 0, 30])
    samples = int(counts.sum())
    left_out = []
    for mode, count in enumerate(counts):
        less = counts.copy()
        less[mode] -= 1
        left_out += [(less >= at_least).sum()] * int(count)
    expected = math.sqrt((samples - 1) * np.var(left_out))
    assert expected > 0
    assert count_stderr(counts, at_least) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "shares", [uniform(20), np.r_[np.full(10, 0.09), np.full(10, 0.01)]], ids=["uniform", "uneven"]
)
def test_the_populations_divergence_is_covered(shares):
    rng = np.random.default_rng(0)
    truth = divergence_from_uniform(shares)
    draws = [population_divergence(rng.multinomial(1000, shares), uniform(20)) for _ in range(400)]
    covered = np.mean([draw.ci95[0] <= truth <= draw.ci95[1] for draw in draws])
    assert 0.92 <= covered <= 0.985  # 95% +- 3 standard errors of 400 draws
    found = np.array([draw.divergence for draw in draws])
    assert abs(found.mean() - truth) < 4 * found.std() / 20
