"""Decisions: each rule on values made by hand."""

from __future__ import annotations

import json
import math
from statistics import NormalDist

import numpy as np
import pytest
from gate_cases import made_policy, made_result, made_score
from scipy.stats import t

import gandiag
from gandiag.core.alert import Alert
from gandiag.core.errors import GandiagError, InputError, UsageError
from gandiag.core.run_log import RunLog
from gandiag.core.score import NORMAL_95
from gandiag.core.signals import SIGNALS, Record
from gandiag.gates.decide import decide_regressions
from gandiag.gates.intervals import interval_at, samples_needed
from gandiag.gates.regression import regression
from gandiag.gates.verdict import Verdict


def status(policy, baseline=None, **scores):
    return gandiag.gate(made_result(**scores), policy, baseline).status


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("max = 10.2", "passed"),  # the interval is 9.804 to 10.196
        ("max = 10.19", "inconclusive"),
        ("max = 9.81", "inconclusive"),
        ("max = 9.80", "failed"),
        ("min = 9.80", "passed"),
        ("min = 9.81", "inconclusive"),
        ("min = 10.19", "inconclusive"),
        ("min = 10.2", "failed"),
        ("min = 9.8\nmax = 10.2", "passed"),
        ("min = 9.9\nmax = 10.1", "inconclusive"),
        ("min = 9\nmax = 9.5", "failed"),
        ("min = 11\nmax = 12", "failed"),
    ],
)
def test_a_limit_is_decided_by_the_whole_interval(limit, expected):
    assert status(made_policy(f'metric = "fid"\n{limit}'), fid=made_score(10.0)) == expected


@pytest.mark.parametrize(
    ("meaning", "verdict", "code"), [("inconclusive", "inconclusive", 4), ("fail", "failed", 1), ("warn", "passed", 0)]
)
def test_the_policy_says_what_inconclusive_means(meaning, verdict, code):
    policy = made_policy('metric = "fid"\nmax = 10', top=f'on_inconclusive = "{meaning}"')
    found = gandiag.gate(made_result(fid=made_score(10.05)), policy)
    assert (found.status, found.exit_code) == (verdict, code)
    assert found.outcomes[0].status == "inconclusive"
    assert bool(found.warnings) == (meaning == "warn")


def test_a_gate_of_its_own_mind_comes_before_the_policy():
    policy = made_policy('metric = "fid"\nmax = 10\non_inconclusive = "fail"', top='on_inconclusive = "pass"')
    assert status(policy, fid=made_score(10.05)) == "failed"


def test_one_failure_outweighs_what_is_inconclusive_and_that_what_passes():
    policy = made_policy('metric = "fid"\nmax = 10', 'metric = "kid"\nmax = 10', 'metric = "recall"\nmin = 0')
    assert status(policy, fid=made_score(10.0), kid=made_score(11.0), recall=made_score(1.0)) == "failed"
    assert status(policy, fid=made_score(10.0), kid=made_score(9.0), recall=made_score(1.0)) == "inconclusive"
    assert status(policy, fid=made_score(9.0), kid=made_score(9.0), recall=made_score(1.0)) == "passed"


def test_an_undefined_score_fails_whatever_inconclusive_means():
    policy = made_policy('metric = "fid"\nmax = 10', top='on_inconclusive = "pass"')
    found = gandiag.gate(made_result(fid=made_score(None)), policy)
    assert found.status == "failed"
    assert "nothing to measure" in found.outcomes[0].reason


def test_an_unreliable_score_does_not_pass_and_may_fail():
    policy = made_policy('metric = "fid"\nmax = 10')
    found = gandiag.gate(made_result(fid=made_score(9.0, unreliable="few samples")), policy)
    assert found.status == "inconclusive"
    assert "few samples" in found.outcomes[0].reason
    assert status(policy, fid=made_score(11.0, unreliable="few samples")) == "failed"
    lenient = made_policy('metric = "fid"\nmax = 10', top='on_inconclusive = "pass"')
    found = gandiag.gate(made_result(fid=made_score(9.0, unreliable="few samples")), lenient)
    assert found.passed
    assert "few samples" in found.warnings[0]


def test_without_an_error_bar_the_value_decides_and_that_is_said():
    policy = made_policy('metric = "fid"\nmax = 10')
    found = gandiag.gate(made_result(fid=made_score(9.999, None)), policy)
    assert found.passed
    assert "no error bar" in found.outcomes[0].reason
    assert status(policy, fid=made_score(10.001, None)) == "failed"


def test_a_score_that_is_not_there_is_bad_input():
    with pytest.raises(UsageError, match="score with --metric precision_recall"):
        status(made_policy('metric = "recall"\nmin = 0.1'), fid=made_score(1.0))


def test_an_extractor_is_found_in_the_key_and_in_the_score():
    policy = made_policy('metric = "fid"\nmax = 10\nextractor = "pixels"')
    assert status(policy, fid=made_score(9.0)) == "passed"
    assert status(policy, fid=made_score(11.0, extractor="digits"), fid__pixels=made_score(9.0)) == "passed"
    with pytest.raises(UsageError, match="fid of the extractor pixels"):
        status(policy, fid=made_score(9.0, extractor="digits"))
    with pytest.raises(UsageError, match="name the extractor"):
        status(made_policy('metric = "fid"\nmax = 10'), fid__pixels=made_score(9.0), fid__digits=made_score(9.0))


def test_a_result_of_fewer_samples_or_another_reference_is_refused():
    few = made_policy('metric = "fid"\nmax = 10', top="samples = 1001")
    with pytest.raises(InputError, match="score again with --samples 1001"):
        status(few, fid=made_score(9.0))
    other = made_policy('metric = "fid"\nmax = 10', top='against = "grid25"')
    with pytest.raises(InputError, match="score again with --against grid25"):
        status(other, fid=made_score(9.0))
    same = made_policy('metric = "fid"\nmax = 10', top='against = "mnist"')
    assert gandiag.gate(made_result(reference="mnist:train", fid=made_score(9.0)), same).passed
    with pytest.raises(InputError, match="against mnist"):
        gandiag.gate(made_result(reference="mnist:test", fid=made_score(9.0)), same)
    unknown = made_policy('metric = "fid"\nmax = 10', top='against = "photos/"')
    assert "photos" in gandiag.gate(made_result(fid=made_score(9.0)), unknown).warnings[0]


def test_missing_modes_are_counted_from_the_modes():
    def modes(found, stderr):
        return made_score(found, stderr, better="higher", params={"total": 100}, details={"missing": ["7-7"] * 12})

    policy = made_policy("missing_modes = 5")
    assert status(policy, modes=modes(97.0, 0.5)) == "passed"
    found = gandiag.gate(made_result(modes=modes(90.0, 0.5)), policy)
    assert found.status == "failed"
    assert found.outcomes[0].value == 10
    assert "missing: 7-7, " in found.outcomes[0].reason
    assert found.outcomes[0].reason.endswith("and 2 more")
    assert status(policy, modes=modes(95.0, 1.0)) == "inconclusive"
    with pytest.raises(InputError, match="how many modes there are"):
        status(policy, modes=made_score(97.0, 0.5))


def record(*left_out):
    """A record of all signals but some."""
    signals = {name for name in SIGNALS if name not in left_out}
    return Record(900, 1.0, dict.fromkeys(signals, 1.0))


def alert(kind="mode_collapse", severity="critical", step=900):
    return Alert(kind, severity, step, step, "it fell")


def test_alerts_are_counted():
    log = RunLog({}, (record(),), (alert(), alert("imbalance", "info"), alert("imbalance", "warning")))

    def outcome(*lines):
        return gandiag.gate(None, made_policy("\n".join(lines)), run=log).outcomes[0]

    assert outcome('alert = "mode_collapse"').status == "failed"
    assert "mode_collapse at step 900 (critical)" in outcome('alert = "mode_collapse"').reason
    assert outcome('alert = "mode_collapse"', "max_count = 1").status == "passed"
    assert outcome('alert = "broken_loop"').status == "passed"
    assert outcome('alert = "imbalance"', 'severity = "warning"').value == 1
    assert outcome('alert = "any"', 'severity = "info"').value == 3


def test_what_nobody_looked_for_does_not_pass():
    names = ("mode_collapse", "any")
    policy = made_policy(*(f'alert = "{name}"' for name in names))
    header = {"thresholds": {"mode_collapse": False}}
    little = Record(900, 1.0, {"generator_loss": 1.0})

    def found(log):
        verdict = gandiag.gate(None, policy, run=log)
        return [outcome.status for outcome in verdict.outcomes], "; ".join(each.reason for each in verdict.outcomes)

    assert found(RunLog({}, (record(),), ()))[0] == ["passed", "passed"]
    said, reason = found(RunLog({}, (), ()))
    assert said == ["inconclusive", "inconclusive"]
    assert "the run log has no records" in reason
    said, reason = found(RunLog(header, (record(),), ()))
    assert said == ["inconclusive", "inconclusive"]
    assert "the run silenced mode_collapse" in reason
    said, reason = found(RunLog({}, (little,), ()))
    assert said[0] == "inconclusive"
    assert "nobody looked: mode_collapse needs" in reason
    assert found(RunLog({}, (Record(900, 1.0, {"unknown": 1.0}),), ()))[0] == ["inconclusive", "inconclusive"]
    # What is there fails whether or not all was looked at.
    assert found(RunLog(header, (), (alert(),)))[0] == ["failed", "failed"]


def test_any_alert_passes_where_few_rules_are_blind_and_names_them():
    outcome = gandiag.gate(None, made_policy('alert = "any"'), run=RunLog({}, (record("held_out_auc"),), ())).outcomes[
        0
    ]
    assert outcome.status == "passed"
    assert "nobody looked: discriminator_overfitting needs held_out_auc" in outcome.reason


def test_the_policy_says_what_an_unwatched_alert_means():
    empty = RunLog({}, (), ())
    lenient = made_policy('alert = "any"', top='on_inconclusive = "warn"')
    verdict = gandiag.gate(None, lenient, run=empty)
    assert verdict.passed
    assert "no records" in verdict.warnings[0]
    strict = made_policy('alert = "any"\non_inconclusive = "fail"', top='on_inconclusive = "warn"')
    assert gandiag.gate(None, strict, run=empty).status == "failed"


def test_thresholds_of_a_log_that_cannot_be_used_are_refused():
    with pytest.raises(InputError, match="header of the run log"):
        gandiag.gate(None, made_policy('alert = "any"'), run=RunLog({"thresholds": {"nothing": 1}}, (record(),), ()))


def test_what_a_policy_needs_must_be_given():
    with pytest.raises(UsageError, match="--run"):
        status(made_policy('alert = "any"'), fid=made_score(1.0))
    with pytest.raises(UsageError, match="--baseline"):
        status(made_policy('metric = "fid"\nmax_regression = 0'), fid=made_score(1.0))
    with pytest.raises(UsageError, match="no Result"):
        gandiag.gate(None, made_policy('metric = "fid"\nmax = 1'))


@pytest.mark.parametrize(
    ("better", "value", "limit", "expected"),
    [  # the baseline is 10 with the same error, so that the difference has 0.1 * sqrt(2) = 0.1414, times 1.96 = 0.277
        ("lower", 10.0, "0.28", "passed"),
        ("lower", 10.0, "0.27", "inconclusive"),
        ("lower", 10.5, "0.22", "failed"),
        ("lower", 10.5, "0.23", "inconclusive"),
        ("lower", 9.0, "0", "passed"),
        ("higher", 9.5, "0.22", "failed"),
        ("higher", 11.0, "0", "passed"),
        ("lower", 10.5, '"2%"', "failed"),
        ("lower", 10.5, '"5%"', "inconclusive"),
        ("lower", 10.5, '"8%"', "passed"),
        ("higher", 9.5, '"2%"', "failed"),
    ],
)
def test_a_regression_is_decided_by_the_difference(better, value, limit, expected):
    policy = made_policy(f'metric = "fid"\nmax_regression = {limit}')
    baseline = made_result(name="old.pt", fid=made_score(10.0, better=better))
    found = gandiag.gate(made_result(fid=made_score(value, better=better)), policy, baseline)
    assert found.status == expected
    assert found.baseline["name"] == "old.pt"


def test_a_percentage_moves_with_the_baseline():
    """The variance of 10.5 - 1.5 b is sa^2 + 1.5^2 sb^2 for independent scores, and the interval that of the excess."""
    policy = made_policy('metric = "fid"\nmax_regression = "50%"')
    baseline = made_result(fid=made_score(10.0, 0.2))
    outcome = gandiag.gate(made_result(fid=made_score(10.5, 0.3)), policy, baseline).outcomes[0]
    half = NORMAL_95 * math.hypot(0.3, 1.5 * 0.2)
    assert outcome.interval == pytest.approx((0.5 - half, 0.5 + half))
    assert outcome.maximum == pytest.approx(5.0)


def test_a_paired_difference_decides_what_independent_errors_leave_open():
    from gandiag.statistics.pairing import influence_pairing

    rng = np.random.default_rng(0)
    shared = rng.normal(size=1000) * 0.3 * math.sqrt(1000)

    def paired(value):
        own = rng.normal(size=1000) * 0.01 * math.sqrt(1000)
        return made_score(value, 0.3, details=influence_pairing(fake=shared + own, n_fake=1000))

    policy = made_policy('metric = "fid"\nmax_regression = 0')
    result, baseline = made_result(fid=paired(10.3)), made_result(fid=paired(10.0))
    outcome = gandiag.gate(result, policy, baseline).outcomes[0]
    assert (outcome.status, "paired" in outcome.reason) == ("failed", True)
    plain = gandiag.gate(made_result(fid=made_score(10.3, 0.3)), policy, made_result(fid=made_score(10.0, 0.3)))
    assert plain.status == "inconclusive"


def test_the_same_model_is_no_regression_of_itself():
    result = made_result(fid=made_score(10.0, 0.0))
    assert gandiag.gate(result, made_policy('metric = "fid"\nmax_regression = 0'), result).passed


def test_what_is_surely_no_worse_needs_no_allowance():
    """5% of a baseline that is itself uncertain is an uncertain allowance; a copy needs none of it."""
    from gandiag.statistics.pairing import halves_pairing

    score = made_score(0.02, 0.02, better="higher", details=halves_pairing(np.random.default_rng(0).normal(size=40)))
    result = made_result(recall=score)
    assert gandiag.gate(result, made_policy('metric = "recall"\nmax_regression = "5%"'), result).passed


def test_a_regression_that_few_halves_tell_is_students():
    """Three halves know a spread with two degrees of freedom, at every confidence."""
    from gandiag.statistics.pairing import halves_pairing

    def halved(value, halves):
        return made_score(value, 0.3, details=halves_pairing(np.array(halves)))

    score, baseline = halved(10.3, [0.1, -0.1, 0.3]), halved(10.0, [0.0, 0.0, 0.0])
    found = regression(score, baseline, made_policy('metric = "fid"\nmax_regression = 0.1').gates[0])
    assert found.freedom == 2
    assert found.p_value == pytest.approx(t.sf(0.2 / found.stderr, 2))
    for confidence in (0.9, 0.95, 0.99):
        reach = t.ppf((1 + confidence) / 2, 2) * found.stderr
        assert found.interval(confidence) == pytest.approx((0.3 - reach, 0.3 + reach))
        assert not found.no_worse(confidence)


def test_several_regressions_are_corrected_by_holm():
    """A one-sided p of 0.02 fails alone at 0.025, and not as the smallest of two."""
    worse = NormalDist().inv_cdf(0.98) * math.sqrt(2) * 0.1
    scores = {"fid": made_score(10 + worse), "kid": made_score(10.0), "sfid": made_score(10.0)}
    result, baseline = made_result(**scores), made_result(**{name: made_score(10.0) for name in scores})
    one = made_policy('metric = "fid"\nmax_regression = 0')
    two = made_policy('metric = "fid"\nmax_regression = 0', 'metric = "kid"\nmax_regression = 0')
    alone = decide_regressions(list(one.gates), result, baseline, one, 0.95)
    assert alone[0].p_value == pytest.approx(0.02)
    assert alone[0].status == "failed"
    both = decide_regressions(list(two.gates), result, baseline, two, 0.95)
    assert both[0].p_value == pytest.approx(0.04)
    assert both[0].status == "inconclusive"


def test_a_baseline_of_another_protocol_is_refused_with_the_fields():
    policy = made_policy('metric = "fid"\nmax_regression = 0')
    baseline = made_result(samples=500, fid=made_score(10.0, samples=500, fingerprint="e" * 64))
    with pytest.raises(InputError) as refused:
        status(policy, baseline, fid=made_score(10.0))
    assert "n_fake: 1000, not 500" in str(refused.value)
    version = made_result(fid=made_score(10.0, fingerprint="e" * 64))
    with pytest.raises(InputError, match="version of the metric"):
        status(policy, version, fid=made_score(10.0))
    with pytest.raises(UsageError, match="the baseline has no 'fid'"):
        status(policy, made_result(kid=made_score(1.0)), fid=made_score(10.0))


def test_a_score_without_a_direction_cannot_regress():
    policy = made_policy('metric = "ms_ssim"\nmax_regression = 0')
    result = made_result(ms_ssim=made_score(0.3, better=None))
    with pytest.raises(UsageError, match="no better direction"):
        gandiag.gate(result, policy, result)


def test_an_undefined_baseline_fails_and_says_so():
    policy = made_policy('metric = "fid"\nmax_regression = 0')
    found = gandiag.gate(made_result(fid=made_score(1.0)), policy, made_result(fid=made_score(None)))
    assert found.status == "failed"
    assert "the baseline is undefined" in found.outcomes[0].reason


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.99])
def test_another_confidence_is_the_normal_interval_of_it(confidence):
    low, high = interval_at(made_score(10.0), confidence)
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * 0.1
    assert (low, high) == pytest.approx((10 - reach, 10 + reach))


@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_a_student_interval_keeps_its_degrees_of_freedom(confidence):
    half = t.ppf(0.975, 7) * 0.1
    score = made_score(10.0, interval=(10 - half, 10 + half))
    assert interval_at(score, confidence)[1] == pytest.approx(10 + t.ppf((1 + confidence) / 2, 7) * 0.1, rel=1e-6)


@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_an_interval_that_is_not_even_is_scaled_by_the_freedom_that_its_score_tells(confidence):
    score = made_score(10.0, interval=(9.0, 12.0), details={"freedom": 2})
    ratio = t.ppf((1 + confidence) / 2, 2) / t.ppf(0.975, 2)
    assert interval_at(score, confidence) == pytest.approx((10 - ratio, 10 + 2 * ratio))


def test_an_interval_that_was_cut_short_keeps_its_end_at_a_lower_confidence():
    low, high = interval_at(made_score(0.05, 0.1, interval=(0.0, 0.05 + NORMAL_95 * 0.1)), 0.9)
    assert low == 0.0
    assert high == pytest.approx(0.05 + NormalDist().inv_cdf(0.95) * 0.1)


def test_the_samples_that_are_asked_for_settle_it_99_times_in_100():
    """For a normal value at a known distance from the limit, by the textbook's power of a test."""
    stderr, gap, samples = 0.1, 0.15, 1000
    needed = samples_needed(samples, NORMAL_95 * stderr, gap, 0.95)
    at_needed = stderr * math.sqrt(samples / needed)
    power = NormalDist().cdf(gap / at_needed - NORMAL_95)
    assert 0.99 <= power < 0.993
    assert samples_needed(samples, 1.0, 1e-9, 0.95) is None
    assert samples_needed(samples, 1.0, 0.0, 0.95) is None


def test_an_inconclusive_gate_asks_for_samples():
    found = gandiag.gate(made_result(fid=made_score(10.0)), made_policy('metric = "fid"\nmax = 10.1'))
    assert found.samples_needed == samples_needed(1000, NORMAL_95 * 0.1, 0.1, 0.95)
    assert f"{found.samples_needed:,} samples" in found.outcomes[0].reason


def test_a_verdict_is_strict_json_and_reads_back():
    policy = made_policy('metric = "fid"\nmax = 10', 'metric = "fid"\nmax_regression = "5%"', 'alert = "any"')
    result = made_result(fid=made_score(10.0))
    verdict = gandiag.gate(result, policy, result, RunLog({}, (), (alert(),)))
    document = json.loads(verdict.to_json())
    assert (document["schema"], document["status"]) == ("gandiag.verdict/1", "failed")
    assert Verdict.from_dict(document) == verdict
    for changed in ({"status": "passed"}, {"schema": "x"}, {"outcomes": [3]}, {"outcomes": None}, {"extra": 1}):
        with pytest.raises(GandiagError):
            Verdict.from_dict(document | changed)
