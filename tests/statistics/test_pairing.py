from __future__ import annotations

import json

import numpy as np
import pytest

from gandiag import InputError
from gandiag.statistics.pairing import BLOCKS, difference_error, halves_pairing, influence_pairing, read_pairing


def evidence(**parts):
    return read_pairing(json.loads(json.dumps(influence_pairing(**parts))))


@pytest.fixture
def draw():
    return np.random.default_rng(0).standard_normal


@pytest.mark.parametrize("count", [50, 200, 10_000, 10_037])
def test_the_variance_among_replicates_is_that_of_the_score(draw, count):
    influence = 3 * draw(count)
    found = evidence(fake=influence, n_fake=count)
    expected = influence.var(ddof=1) / count
    # The variance of 200 replicates is known to a tenth.
    assert found.parts["fake"].var(ddof=1) == pytest.approx(expected, rel=0.35)
    assert len(found.parts["fake"]) == min(count, BLOCKS)


def test_the_variance_is_of_all_samples_where_only_the_first_are_looked_at(draw):
    influence = draw(4000)
    one, other = (evidence(fake=influence, n_fake=count).parts["fake"].var() for count in (4000, 16_000))
    assert one == pytest.approx(4 * other, rel=1e-3)


def test_what_is_shared_cancels_and_what_is_not_adds(draw):
    common, own, others = draw(8000), draw(8000), draw(8000)

    def error(one, other):
        found = difference_error(evidence(fake=one, n_fake=8000), evidence(fake=other, n_fake=8000))
        return found.variance * 8000

    assert error(common, common) == 0
    assert error(common + 0.1 * own, common) == pytest.approx(0.01, rel=0.3)
    assert error(own, others) == pytest.approx(2, rel=0.3)


def test_the_grid_keeps_the_difference_of_near_models(draw):
    common, own = draw(10_000), draw(10_000)
    found = difference_error(evidence(fake=common + 0.01 * own, n_fake=10_000), evidence(fake=common, n_fake=10_000))
    assert found.variance * 10_000 / 1e-4 == pytest.approx(1, rel=0.3)


def test_sorted_samples_do_no_harm(draw):
    values = np.sort(draw(10_000))
    found = evidence(fake=values, n_fake=10_000).parts["fake"]
    assert found.var(ddof=1) == pytest.approx(values.var() / 10_000, rel=0.35)


def test_the_second_order_is_taken_off_the_first_and_is_what_is_left_at_least(draw):
    zero = evidence(fake=np.zeros(100), n_fake=100, second=np.zeros(15))
    both = evidence(fake=10 * draw(100), n_fake=100, second=0.1 * draw(15))
    spread = {name: values.var(ddof=1) for name, values in both.parts.items()}
    assert difference_error(both, zero).variance == pytest.approx(spread["fake"] - spread["second"], rel=1e-6)
    degenerate = evidence(fake=1e-3 * draw(100), n_fake=100, second=draw(15))
    assert difference_error(degenerate, zero).variance == pytest.approx(degenerate.parts["second"].var(ddof=1))


def test_a_rest_adds_up(draw):
    values = draw(100)
    one, other = evidence(fake=values, n_fake=100, rest=2.0), evidence(fake=values, n_fake=100, rest=3.0)
    assert difference_error(one, other).variance == pytest.approx(5)


def test_other_numbers_of_replicates_are_not_paired(draw):
    one, other = evidence(fake=draw(100), n_fake=100), evidence(fake=draw(101), n_fake=101)
    assert difference_error(one, other) is None
    assert difference_error(one, read_pairing(halves_pairing(draw(100)))) is None


def test_few_samples_and_constant_ones():
    assert influence_pairing(fake=[1.0], n_fake=1) == {}
    assert halves_pairing([1.0]) == {}
    found = evidence(fake=np.ones(10), n_fake=10)
    assert difference_error(found, found).variance == 0


@pytest.mark.parametrize(
    "stored",
    [
        7,
        [],
        {},
        {"fake": {"unit": 1.0}},
        {"fake": {"unit": float("inf"), "values": [1]}},
        {"fake": {"unit": 1.0, "values": ["1"]}},
        {"fake": {"unit": 1.0, "values": [True]}},
        {"fake": {"unit": 1.0, "values": [10**400]}},
        {"fake": {"unit": 1.0, "values": [1] * 10_000}},
        {"fake": {"unit": 1e61, "values": [1, 2]}},
        {"fake": {"unit": 1.0, "values": [1, 2]}, "rest": -1},
        {"fake": {"unit": 1.0, "values": [1, 2]}, "rest": 1e300},
        {"fake": {"unit": 1.0, "values": [1, 2]}, "rest": "much"},
    ],
)
def test_malformed_evidence_is_refused(stored):
    with pytest.raises(InputError, match="pairing is malformed"):
        read_pairing({"pairing": stored})
