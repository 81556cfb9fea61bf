from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.core import seeds

DRAWS = [
    pytest.param(seeds.uniform, id="uniform"),
    pytest.param(seeds.normal, id="normal"),
    pytest.param(lambda *a: seeds.integers(*a, high=7), id="integers"),
]


@pytest.mark.parametrize("draw", DRAWS)
@settings(max_examples=40, deadline=None)
@given(start=st.integers(0, 700), length=st.integers(0, 300))
def test_sample_i_is_the_same_for_any_range(draw, start, length):
    whole = draw(3, "a", 0, 1000, 4)
    np.testing.assert_array_equal(draw(3, "a", start, start + length, 4), whole[start : start + length])


def test_the_bits_are_philox_keyed_by_sha256():
    for block in (0, 2):
        digest = hashlib.sha256(repr((7, "latent", block)).encode()).digest()
        key = np.array([int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")], np.uint64)
        bits = np.random.Philox(key=key).random_raw(256 * 3).reshape(256, 3)
        drawn = seeds.uniform(7, "latent", 256 * block, 256 * (block + 1), 3)
        np.testing.assert_allclose(drawn, bits / 2.0**64, rtol=0, atol=2.0**-52)


@pytest.mark.parametrize("other", [(1, "a"), (0, "b"), (0, "a/b")])
def test_other_seeds_and_streams_are_independent(other):
    one, two = seeds.normal(0, "a", 0, 4096, 1)[:, 0], seeds.normal(*other, 0, 4096, 1)[:, 0]
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / 64  # four standard errors


def test_neighbouring_samples_and_blocks_are_independent():
    drawn = seeds.normal(0, "a", 0, 8192, 1)[:, 0]
    for lag in (1, seeds.BLOCK):
        assert abs(np.corrcoef(drawn[:-lag], drawn[lag:])[0, 1]) < 4 / 90


def test_normal_numbers_have_normal_moments():
    drawn, count = seeds.normal(0, "a", 0, 50_000, 2).ravel(), 100_000
    for power, moment, deviation in ((1, 0, 1), (2, 1, 2**0.5), (3, 0, 15**0.5), (4, 3, 96**0.5)):
        assert abs((drawn**power).mean() - moment) < 4 * deviation / count**0.5


def test_integers_are_uniform_over_all_values():
    counts = np.bincount(seeds.integers(0, "a", 0, 30_000, 1, 6)[:, 0], minlength=6)
    assert len(counts) == 6
    assert ((counts - 5000) ** 2 / 5000).sum() < 20.5  # chi-squared of 5 degrees, 99.9%


@pytest.mark.parametrize("bits", [0, 2**64 - 1])
def test_the_interval_is_open_at_the_extreme_bits(monkeypatch, bits):
    class Extreme:
        def __init__(self, key): ...

        def random_raw(self, size):
            return np.full(size, bits, np.uint64)

    monkeypatch.setattr(np.random, "Philox", Extreme)
    drawn = seeds.uniform(0, "a", 0, 1, 1)[0, 0]
    assert 0 < drawn < 1
    assert np.isfinite(seeds.normal(0, "a", 0, 1, 1)).all()


def test_generators_of_two_purposes_differ_and_of_one_agree():
    assert seeds.generator(0, "a").random() == seeds.generator(0, "a").random()
    assert seeds.generator(0, "a").random() != seeds.generator(0, "b").random()
    assert seeds.integer(0, "a") == seeds.integer(0, "a") != seeds.integer(0, "b")
    assert all(0 <= seeds.integer(seed, "a") < 2**63 for seed in range(50))
