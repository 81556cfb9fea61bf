from __future__ import annotations

import math

import pytest

from gandiag.core.errors import InputError, UsageError
from gandiag.core.result import Result
from gandiag.core.score import measured
from gandiag.evaluation.planning import Width, parse_width, plan_samples


def runner(variance, *, value=10.0, seconds=lambda n: n / 100, most=None):
    def run(samples):
        samples = most if samples is None else samples
        if most is not None and samples > most:
            raise InputError("too few")
        score = measured(
            value, stderr=math.sqrt(variance(samples)), error_method="x", better=None, n_real=9, n_fake=samples
        )
        timing = {"extract": seconds(samples), "compute": 0.0}
        return Result("now", {}, {}, {"samples": samples}, {"fid": score}, timing=timing)

    return run


@pytest.mark.parametrize(("text", "width"), [("2%", Width(0.02, True)), ("0.5", Width(0.5, False))])
def test_widths(text, width):
    assert parse_width(text) == width


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "inf%"])
def test_bad_widths(text):
    with pytest.raises(UsageError, match="--interval"):
        parse_width(text)


def test_variance_that_falls_with_n_needs_the_square():
    planned = plan_samples(runner(lambda n: 4 / n), Width(0.02, False)).scores[0]
    assert planned.samples == pytest.approx(4 * (1.96 / 0.02) ** 2, rel=0.1)
    assert planned.seconds == pytest.approx(planned.samples / 100, rel=0.01)


@pytest.mark.parametrize("fixed", [0.0, 50.0])
def test_what_takes_as_long_for_few_samples_is_counted_once(fixed):
    planned = plan_samples(runner(lambda n: 4 / n, seconds=lambda n: fixed + n / 1000), Width(0.02, False)).scores[0]
    assert planned.seconds == pytest.approx(fixed + planned.samples / 1000, rel=1e-6)


def test_a_share_is_of_the_value():
    absolute = plan_samples(runner(lambda n: 4 / n), Width(0.1, False)).scores[0]
    relative = plan_samples(runner(lambda n: 4 / n), Width(0.01, True)).scores[0]
    assert relative.samples == absolute.samples


def test_a_small_reference_sets_a_floor():
    run = runner(lambda n: 1e-3 + 4 / n)
    below = plan_samples(run, Width(0.05, False)).scores[0]
    assert below.samples is None
    assert "reference" in below.reason
    above = plan_samples(run, Width(0.08, False)).scores[0]
    assert above.samples == pytest.approx(4 / ((0.08 / 1.96) ** 2 - 1e-3), rel=0.1)


def test_what_the_pilot_reaches_needs_no_more():
    assert plan_samples(runner(lambda n: 4 / n), Width(1.0, False)).scores[0].samples == 2000


def test_a_small_source_has_a_short_pilot():
    assert plan_samples(runner(lambda n: 4 / n, most=600), Width(0.1, False)).pilots == (500,)
    assert plan_samples(runner(lambda n: 4 / n, most=200), Width(0.1, False)).pilots == (200,)
    with pytest.raises(InputError, match="too few"):
        plan_samples(runner(lambda n: 4 / n, most=10), Width(0.1, False), most=20)


def test_a_value_of_zero_has_no_relative_width():
    planned = plan_samples(runner(lambda n: 4 / n, value=0.0), Width(0.05, True)).scores[0]
    assert planned.samples is None
    assert "without %" in planned.reason
