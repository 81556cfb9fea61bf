"""Each detector: silent over what healthy runs showed, and right about what failing ones did."""

from __future__ import annotations

import math
import random
from functools import partial

import pytest
from signal_streams import after, alarms, from_the_start, healthy, run, stream

from gandiag.core.alert import KINDS
from gandiag.core.signals import SIGNALS, Record
from gandiag.monitor.detectors import DETECTORS
from gandiag.monitor.detectors._rules import found
from gandiag.monitor.engine import Engine


def told(**options):
    return run(Engine(), stream(**options))


def ramp(step, start, end, low, high):
    share = min(1.0, max(0.0, (step - start) / (end - start)))
    return low * (high / low) ** share


# --- healthy -------------------------------------------------------------------------------------------------------

HEALTHY = {
    "plain": None,
    # diagnostics.md, section 0.1: early rises of 5 to 100 times, which stay.
    "gradients rise a hundred times": lambda step, _: {
        "generator_gradient_norm": ramp(step, 50, 800, 0.9, 90) * (1 + 0.2 * math.sin(step))
    },
    "gradients fall to a hundredth": lambda step, _: {"generator_gradient_norm": ramp(step, 50, 2000, 20, 0.2)},
    # 0.2: BigGAN's discriminator is right over 98% of the time.
    "a perfect discriminator": from_the_start(auc=0.9995, real_confidence=0.95, fake_confidence=0.04, d_prime=8.0),
    "the largest AUC of the pilot": from_the_start(auc=0.975),
    "AUC at a half, in equilibrium": lambda step, _: {"auc": 0.5 + 0.02 * math.sin(step / 90)},
    "the smallest variance of the pilot": lambda step, _: {
        "variance_ratio": 0.49 if step > 700 else 0.05 + step / 2000
    },
    "losses that oscillate": lambda step, _: {
        "generator_loss": 3 + 2.8 * math.sin(step / 80),
        "discriminator_loss": 1 + 0.9 * math.cos(step / 80),
        "auc": 0.75 + 0.2 * math.sin(step / 80),
    },
    "travel at the pilot's most": from_the_start(generator_update_ratio=0.273, discriminator_update_ratio=0.273),
    "held-out at the pilot's most": from_the_start(held_out_auc=0.69, held_out_gap=0.4),
    "few different samples for long, well spread": lambda step, _: {"vendi_ratio": 0.09 if step < 2900 else 0.6},
    "few different samples, and ever more of them": lambda step, _: {"vendi_ratio": ramp(step, 0, 3000, 0.03, 0.9)},
    "one dip of the Vendi score": lambda step, _: {"vendi_ratio": 0.19} if 1500 < step <= 1650 else {},
    "samples alike before training": lambda step, _: {
        "variance_ratio": 0.01 if step < 500 else 0.8,
        "auc": 0.999 if step < 550 else 0.8,
        "vendi_ratio": 0.1 if step < 700 else 0.7,
    },
    "a spike": lambda step, s: {"generator_gradient_norm": 1e6, "generator_loss": 1e4} if step == 2000 else {},
    "small gradients of a clipped critic": from_the_start(
        generator_gradient_norm=5e-5 * math.sqrt(20000), real_confidence=None, fake_confidence=None
    ),
    "coverage that falls by half, and Vendi scores that stay": lambda step, _: {
        "coverage": 0.8 if step < 2500 else 0.4,
        "vendi_ratio": 1.0 if step < 2500 else 0.8,
    },
    "rising coverage, with wobbles": lambda step, _: {"coverage": 0.4 + 0.2 * math.sin(step / 200)},
    "a critic's convention: real is low": lambda step, s: {
        "auc": 1 - s["auc"] if step % 100 else 0.05,
        "real_score": s["fake_score"],
        "fake_score": s["real_score"],
        "discriminator_direction": -1.0,
        "generator_direction": -1.0,
    },
    "learning rates that decay to 0": lambda step, _: {
        "generator_learning_rate": max(0.0, 2e-4 * (1 - step / 3500)),
        "discriminator_learning_rate": max(0.0, 2e-4 * (1 - step / 3500)),
        "generator_update_ratio": max(0.0, 0.1 * (1 - step / 3500)),
        "discriminator_update_ratio": max(0.0, 0.1 * (1 - step / 3500)),
    },
    "gradients clipped to one norm": from_the_start(discriminator_gradient_norm=1.0, generator_gradient_norm=1.0),
    "a gradient scaler that finds its scale": lambda step, _: {
        "loss_scale": 65536.0 / 2 ** min(5, step // 50),
        "skipped_steps": 0.1 if step <= 200 else 0.001,
        "non_finite_generator_gradients": 2.0 if step <= 200 else 0.0,
    },
    "five critic steps": lambda step, _: {"discriminator_steps": 5.0 * step},
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("change", HEALTHY.values(), ids=HEALTHY)
def test_a_healthy_run_is_silent(change, seed):
    assert alarms(told(steps=5000, seed=seed, change=change)) == []


def test_a_perfect_discriminator_alone_is_told_as_information():
    alerts = told(change=from_the_start(auc=0.9995))
    assert [(alert.kind, alert.severity) for alert in alerts] == [("overpowering_discriminator", "info")]


# --- failing: the signatures of diagnostics.md, section 5.3, and feasibility.md, Q3 -----------------------------------


def collapsing(step, signals):
    return {"variance_ratio": 0.03, "pairwise_distance_ratio": 0.05, "vendi_ratio": 0.1} if step > 1500 else {}


FAILING = {
    "constant latent": (
        "mode_collapse",
        650,
        from_the_start(variance_ratio=0.0, nearest_neighbour_ratio=0.0, vendi_ratio=0.05, auc=0.9),
    ),
    "collapse after training well": ("mode_collapse", 1500 + 300, collapsing),
    "generator ahead, losses look perfect": (
        "mode_collapse",
        1050,
        from_the_start(
            variance_ratio=0.003,
            pairwise_distance_ratio=0.05,
            auc=0.51,
            generator_update_ratio=0.6,
            generator_loss=0.65,
            discriminator_loss=1.4,
            vendi_ratio=None,
        ),
    ),
    # A public script with a thousand times its learning rate: no gradient from the first record on, but one had been.
    "no gradient after a few steps": (
        "vanishing_gradient",
        450,
        lambda step, _: {"generator_gradient_zero": 0.98 if step <= 100 else 1.0, "generator_gradient_norm": 0.0},
    ),
    # benchmarks/detectors: a ring of which three modes of eight are lost for good.
    "a few modes go, and others stay": (
        "mode_dropping",
        3500,
        lambda step, _: (
            {"coverage": 0.8, "vendi_ratio": 1.0} if step < 2500 else {"coverage": 0.4, "vendi_ratio": 0.58}
        ),
    ),
    "few different digits": ("mode_collapse", 2000, after(1200, vendi_ratio=0.08, variance_ratio=0.4)),
    "the generator far ahead (AUC 0.25)": (
        "mode_collapse",
        1050,
        from_the_start(variance_ratio=0.05, auc=0.25, generator_update_ratio=0.7),
    ),
    "modes lost, variance kept": ("mode_dropping", 4000, after(2500, coverage=0.05)),
    "half of the Vendi score": ("mode_dropping", 4000, after(2500, vendi_ratio=0.36)),
    "minimax, discriminator ahead": (
        "vanishing_gradient",
        750,
        lambda step, _: {
            "generator_gradient_norm": ramp(step, 0, 1200, 4e-4, 1e-6),
            "auc": 1.0,
            "loss_slope": ramp(step, 0, 600, 1e-3, 1e-6),
            "variance_ratio": 0.1,
            "fake_confidence": 1e-5,
            "real_confidence": 1.0,
        },
    ),
    "gradient fades to nothing": (
        "vanishing_gradient",
        2700,
        lambda step, _: {
            "generator_gradient_norm": ramp(step, 1000, 2500, 1.0, 1e-9),
            "generator_gradient_zero": 1.0 if step > 2500 else 0.0,
            "auc": 1.0 if step > 1000 else 0.8,
        },
    ),
    "gradients diverge early": (
        "exploding_gradient",
        500,
        lambda step, _: {
            "generator_gradient_norm": ramp(step, 0, 1000, 1e3, 1e8),
            "generator_update_ratio": 0.9,
            "variance_ratio": 300.0,
        },
    ),
    "gradients diverge late": (
        "exploding_gradient",
        2800,
        lambda step, s: {"generator_gradient_norm": ramp(step, 2400, 3000, 3, 3e4)} if step > 2400 else {},
    ),
    "a critic without bounds": (
        "exploding_gradient",
        2700,
        after(2400, score_magnitude=5e4, real_score=2e4, fake_score=-1e4),
    ),
    "gradients explode and the samples collapse": (
        "exploding_gradient",
        2400,
        lambda step, s: (
            {"generator_gradient_norm": 500.0, "variance_ratio": 0.02, "vendi_ratio": 0.1} if step > 2000 else {}
        ),
    ),
    "parameters travel": ("non_convergence", 1500, from_the_start(generator_update_ratio=0.6, auc=0.55)),
    "samples and game go round": (
        "non_convergence",
        3500,
        lambda step, _: {
            "variance_ratio": 0.8 + 0.55 * math.sin(step / 100),
            "auc": 0.7 + 0.28 * math.cos(step / 100),
            "vendi_ratio": 0.7,
        },
    ),
    "discriminator far ahead, non-saturating": (
        "overpowering_discriminator",
        650,
        from_the_start(
            auc=0.9995,
            real_confidence=0.9999,
            fake_confidence=1e-5,
            generator_loss=12.0,
            discriminator_loss=1e-4,
            generator_gradient_norm=40.0,
            loss_slope=1.0,
        ),
    ),
    "discriminator ahead, samples stuck": (
        "overpowering_discriminator",
        1050,
        from_the_start(auc=0.9995, variance_ratio=0.15, fake_confidence=None, real_confidence=None),
    ),
    "only probabilities are logged": (
        "overpowering_discriminator",
        650,
        from_the_start(auc=None, real_confidence=0.9999, fake_confidence=1e-6),
    ),
    "the generator far ahead": ("losing_discriminator", 1050, from_the_start(auc=0.23)),
    "a blind discriminator": ("losing_discriminator", 1300, from_the_start(auc=0.52, variance_ratio=0.15)),
    "a memorised data set": (
        "discriminator_overfitting",
        1050,
        from_the_start(held_out_auc=0.9, held_out_gap=0.75, d_prime=3.0),
    ),
    "NaN in the loss": ("non_finite", 2000, lambda step, _: {"non_finite_losses": 1.0} if step == 2000 else {}),
    "a scaler that never settles": (
        "non_finite",
        600,
        from_the_start(loss_scale=2.0, skipped_steps=0.4, non_finite_generator_gradients=20.0),
    ),
    "detached fakes": (
        "broken_loop",
        50,
        from_the_start(generator_gradient_zero=1.0, generator_gradient_norm=0.0, auc=1.0, variance_ratio=0.01),
    ),
    "fakes detached in the middle": (
        "broken_loop",
        2100,
        after(2000, generator_gradient_zero=1.0, generator_gradient_norm=0.0),
    ),
    "the discriminator never steps": (
        "broken_loop",
        550,
        from_the_start(discriminator_steps=0.0, discriminator_gradient_norm=None, auc=0.001, variance_ratio=100.0),
    ),
    "a learning rate of 0": (
        "broken_loop",
        150,
        from_the_start(discriminator_learning_rate=0.0, discriminator_update_ratio=0.0, auc=0.01),
    ),
    "an optimizer of other parameters": ("broken_loop", 150, from_the_start(generator_update_ratio=0.0)),
    "swapped labels": (
        "broken_loop",
        600,
        from_the_start(auc=0.01, discriminator_direction=-1.0, generator_direction=1.0, variance_ratio=20.0),
    ),
    "a sign in the generator's loss": (
        "broken_loop",
        600,
        from_the_start(auc=0.999, discriminator_direction=1.0, generator_direction=-1.0, variance_ratio=0.1),
    ),
}


@pytest.mark.parametrize("every", [50, 100])
@pytest.mark.parametrize(("kind", "latest", "change"), FAILING.values(), ids=FAILING)
def test_a_failing_run_is_named_by_its_cause_first(kind, latest, change, every):
    alerts = [alert for alert in told(change=change, every=every) if alert.severity != "info"]
    assert alerts, "silent"
    assert alerts[0].kind == kind
    assert alerts[0].step <= latest + 4 * max(0, every - 50)
    assert alerts[0].since_step <= alerts[0].step


def test_every_kind_is_tried():
    assert {kind for kind, _, _ in FAILING.values()} == set(KINDS) - {"imbalance"}
    assert set(DETECTORS.names()) == set(KINDS)


def test_every_signal_that_a_detector_reads_exists():
    for name in DETECTORS.names():
        detector = DETECTORS.load(name)
        for signal in detector.reads.union(*(need for needs in detector.needs.values() for need in needs)):
            assert signal in SIGNALS or signal == "quality_", signal


# --- what single rules promise ---------------------------------------------------------------------------------------


def test_collapse_is_told_within_300_steps_after_the_modes_are_lost():
    for lost in range(1500, 1600, 20):  # wherever it falls between two records
        alerts = told(steps=2000, change=after(lost, variance_ratio=0.01, pairwise_distance_ratio=0.1))
        assert alerts[0].kind == "mode_collapse"
        assert lost < alerts[0].step <= lost + 300
        assert alerts[0].evidence["last_good_step"] <= lost


def test_one_signal_is_a_warning_and_two_that_agree_are_critical():
    alone = told(change=after(1500, variance_ratio=0.01))
    assert [alert.severity for alert in alone if alert.kind == "mode_collapse"] == ["warning"]
    both = told(change=after(1500, variance_ratio=0.01, vendi_ratio=0.05))
    assert [alert.severity for alert in both if alert.kind == "mode_collapse"] == ["critical"]


def test_severity_that_rises_is_told_once_more():
    alerts = told(
        change=lambda step, _: (
            {"variance_ratio": 0.01, "vendi_ratio": 0.05 if step > 2500 else 0.8} if step > 1500 else {}
        )
    )
    collapse = [(alert.severity, alert.since_step) for alert in alerts if alert.kind == "mode_collapse"]
    assert collapse == [("warning", 1500), ("critical", 1500)]


def test_an_episode_ends_beyond_the_release_limit_and_another_one_is_told():
    def variance(step, _):
        bad = 1500 < step <= 2000 or 3000 < step <= 3500
        return {"variance_ratio": 0.05 if bad else 0.5}

    alerts = [alert.step for alert in told(steps=5000, change=variance) if alert.kind == "mode_collapse"]
    assert alerts == [1650, 3150]


def test_between_the_limits_an_episode_goes_on():
    def variance(step, _):
        return {"variance_ratio": 0.05 if step % 400 < 200 else 0.15} if step > 1500 else {}

    alerts = told(steps=6000, change=variance, only={"variance_ratio"})
    assert [alert.kind for alert in alerts] == ["mode_collapse"]


def test_clipped_gradients_say_nothing_about_their_level():
    noise = random.Random(0)

    def large(step, _, *, share):
        if step <= 2400:
            return {}
        return {"generator_gradient_norm": 2e4 * (1 + share * noise.random()), "generator_update_ratio": 0.6}

    assert "exploding_gradient" in alarms(told(change=partial(large, share=0.1)))
    # The jump from one level to another is the only thing that a pinned norm tells, so it is pinned from the start.
    assert "exploding_gradient" not in alarms(told(change=lambda step, s: large(2401, s, share=0.0)))


def test_where_the_players_pull_is_read_from_the_losses_where_no_slope_is_logged():
    rng = random.Random(1)

    def scores(step, _, *, swapped):
        # Binary cross-entropy of the scores; the discriminator takes fakes for real where labels are swapped.
        real, fake = -1 - min(1, step / 2000) + rng.uniform(-0.5, 0.5), 1 + rng.uniform(-0.5, 0.5)
        soft = lambda x: math.log1p(math.exp(x))  # noqa: E731
        discriminator = soft(real) + soft(-fake) if swapped else soft(-real) + soft(fake)
        return {
            "real_score": real,
            "fake_score": fake,
            "discriminator_loss": discriminator,
            "generator_loss": soft(-fake),
            "auc": 0.02,
        }

    swapped = told(change=lambda step, s: scores(step, s, swapped=True))
    assert [(alert.kind, alert.severity) for alert in swapped] == [("broken_loop", "critical")]
    losing = told(change=lambda step, s: scores(step, s, swapped=False))
    assert alarms(losing) == ["losing_discriminator"]


def test_an_auc_turned_round_without_losses_is_a_warning():
    alerts = told(change=from_the_start(auc=0.01, generator_loss=None, discriminator_loss=None))
    assert [(alert.kind, alert.severity) for alert in alerts] == [("broken_loop", "warning")]


def test_imbalance_is_information():
    alerts = told(change=lambda step, _: {"discriminator_steps": 100.0 * step})
    assert [(alert.kind, alert.severity) for alert in alerts] == [("imbalance", "info")]


def test_a_generator_that_is_never_stepped_while_the_step_stands_still():
    engine = Engine()
    alerts = run(
        engine,
        [Record(0, count / 10, {"generator_steps": 0.0, "discriminator_steps": count}) for count in range(0, 3000, 50)],
    )
    assert alarms(alerts) == ["broken_loop"]
    assert alerts[0].evidence["discriminator_steps"] == 500


def test_a_late_fall_names_the_last_good_step():
    def fall(step, _):
        if step <= 7000:
            return {}
        return {"variance_ratio": 0.25, "discriminator_loss": 6.0, "coverage": 0.1, "vendi_ratio": 0.6}

    alerts = told(steps=9000, change=fall)
    first = alerts[0]
    assert (first.kind, first.severity) == ("non_convergence", "critical")
    assert 6800 <= first.evidence["last_good_step"] <= 7100
    assert first.step <= 7400


def test_a_fall_of_samples_alone_is_not_late_collapse():
    alerts = told(steps=9000, change=after(7000, variance_ratio=0.3))
    assert alarms(alerts) == []


# --- quality --------------------------------------------------------------------------------------------------------


def quality(values, stderr=0.1, better=None, name="quality_fid"):
    extra = {} if better is None else {f"{name}_better": better}
    error = {} if stderr is None else {f"{name}_stderr": stderr}
    return [Record(500 * (n + 1), float(n), {name: value, **error, **extra}) for n, value in enumerate(values)]


def test_a_quality_that_improves_is_silent():
    assert run(Engine(), quality([100 * 0.8**n + 5 for n in range(20)])) == []


def test_a_quality_that_turns_for_the_worse():
    alerts = run(Engine(), quality([50, 40, 30, 20, 10, 10, 33, 34, 35]))
    assert [(alert.kind, alert.severity, alert.step) for alert in alerts] == [("non_convergence", "warning", 4000)]
    assert alerts[0].evidence["best_step"] == 2500


def test_a_quality_of_which_higher_is_better():
    values = [0.1, 0.3, 0.5, 0.7, 0.9, 0.2, 0.2]
    assert run(Engine(), quality(values, 0.01, 1.0, "quality_coverage"))[0].step == 3500
    assert run(Engine(), quality([1 - value for value in values], 0.01, -1.0, "quality_coverage"))[0].step == 3500
    assert run(Engine(), quality(values[:5], 0.01, 1.0, "quality_coverage")) == []
    assert run(Engine(), quality(values[:5], 0.01, -1.0, "quality_coverage"))[0].step == 1500


def test_a_fall_within_the_error_bar_is_no_fall():
    assert run(Engine(), quality([50, 40, 30, 20, 10, 33, 34, 35], stderr=20)) == []


def test_a_fall_without_an_error_bar_is_information():
    alerts = run(Engine(), quality([50, 40, 30, 20, 10, 33, 34, 35], stderr=None))
    assert [alert.severity for alert in alerts] == ["info"]


def test_a_quality_that_rests_is_information_and_one_that_never_moved_a_warning():
    rng = random.Random(0)
    rested = run(Engine(), quality([50, 30, 20, *(10 + 0.1 * rng.gauss(0, 1) for _ in range(15))]))
    assert [alert.severity for alert in rested] == ["info"]
    never = run(Engine(), quality([50 + 0.1 * rng.gauss(0, 1) for _ in range(15)]))
    assert [alert.severity for alert in never] == ["warning"]


# --- what must not matter (diagnostics.md, section 5.2) --------------------------------------------------------------

TRANSFORMS = {
    "losses times 1000": lambda step, s: {
        name: 1000 * s[name] for name in s if name.endswith(("loss", "gradient_norm", "loss_slope"))
    },
    "critic shifted by 10,000": lambda step, s: {
        "real_score": s["real_score"] + 1e4,
        "fake_score": s["fake_score"] + 1e4,
        "score_magnitude": s["score_magnitude"] + 1e4,
        "real_confidence": None,
        "fake_confidence": None,
    },
    "critic times 1000": lambda step, s: {
        name: 1000 * s[name] for name in ("real_score", "fake_score", "score_magnitude")
    },
}


@pytest.mark.parametrize("change", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("name", ["plain", "gradients rise a hundred times", "losses that oscillate"])
def test_scale_and_offset_raise_nothing(change, name):
    before = HEALTHY[name]

    def both(step, signals):
        first = {} if before is None else before(step, signals)
        return {**first, **change(step, {**signals, **first})}

    assert alarms(told(change=both)) == []


@pytest.mark.parametrize("batch", [16, 512])
def test_the_noise_of_small_batches_raises_nothing(batch):
    rng = random.Random(batch)
    # Standard error of the AUC at 0.5 (Hanley and McNeil, 1982) over 5 tracked steps; samples are pooled over batches.
    auc = math.sqrt((2 * batch + 1) / (12 * batch * batch) / 5)
    pooled = min(512, 16 * batch)

    def noise(step, s):
        return {
            "auc": min(1.0, max(0.0, 0.55 + auc * rng.gauss(0, 1))),
            "variance_ratio": max(0.0, s["variance_ratio"] * (1 + rng.gauss(0, 1) * math.sqrt(4 / pooled))),
            "coverage": min(1.0, max(0.0, 0.4 + rng.gauss(0, 1) * math.sqrt(0.25 / pooled))),
            "vendi_ratio": max(0.0, s["vendi_ratio"] + rng.gauss(0, 1) * 1 / math.sqrt(pooled)),
        }

    for seed in range(3):
        assert alarms(told(steps=5000, change=noise, seed=seed)) == []


@pytest.mark.parametrize("every", [1, 10, 50, 100, 500])
def test_a_healthy_run_is_silent_however_often_it_is_logged(every):
    steps = {1: 1200, 10: 2500}.get(every, 80 * every)
    assert alarms(told(steps=steps, every=every)) == []


@pytest.mark.parametrize("share", [0.01, 0.3])
def test_records_may_be_missing(share):
    rng = random.Random(5)
    kept = [record for record in stream(steps=8000) if rng.random() > share]
    assert alarms(run(Engine(), kept)) == []
    broken = [record for record in stream(change=collapsing) if rng.random() > share]
    assert alarms(run(Engine(), broken)) == ["mode_collapse"]


@pytest.mark.parametrize(
    "name", sorted(set(healthy(50, random.Random(0))) - {"generator_steps", "discriminator_steps"})
)
def test_a_single_spike_raises_nothing(name):
    for value in (0.0, 1.0) if name.endswith("_zero") else (0.0, 1e7):
        alerts = told(change=lambda step, s, value=value: {name: value} if step == 2000 else {})
        assert alarms(alerts) == [], value


def test_scalars_of_another_tool_are_enough_to_say_nothing_wrong():
    assert alarms(told(every=100, only={"generator_loss", "discriminator_loss"})) == []
    assert alarms(told(every=100, only={"generator_loss", "discriminator_loss", "generator_gradient_norm"})) == []


# --- how it reads ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "change"), [(kind, change) for kind, _, change in FAILING.values()])
def test_an_alert_says_what_it_measured_and_what_to_do(kind, change):
    for alert in told(change=change):
        assert "\n" not in alert.message
        assert any(character.isdigit() for character in alert.message)
        assert alert.evidence
        assert all(math.isfinite(value) for value in alert.evidence.values())
        assert 3 <= len(alert.advice) <= 6
        assert alert.advice[-1].startswith("To silence: thresholds={")
        assert alert.advice[0].startswith(("Check", "The last good step", "Usual"))


def test_evidence_that_is_not_finite_is_left_out():
    finding = found("warning", "one overflowed", {"auc": 0.5, "loss": math.inf, "gap": math.nan, "slope": None})
    assert finding.evidence == {"auc": 0.5}


@pytest.mark.parametrize(
    "name",
    [
        "auc",
        "held_out_auc",
        "generator_steps",
        "generator_update_ratio",
        "generator_gradient_norm",
        "discriminator_loss",
        "variance_ratio",
    ],
)
@pytest.mark.parametrize("value", [1.7e308, "both"])
def test_a_signal_at_the_end_of_a_float_s_range_gives_finite_evidence(name, value):
    def change(step, signals):
        return {name: (1.7e308 if step // 10 % 3 else -1.7e308) if value == "both" else value} if step > 1000 else {}

    for alert in told(steps=2000, every=5, change=change):
        assert all(math.isfinite(each) for each in alert.evidence.values()), alert


@pytest.mark.parametrize("every", [5, 50])  # at 5, two values become one, whose mean overflows
def test_losses_and_scores_of_any_size_are_correlated(every):
    def change(step, signals):
        size = 1.7e308 * (-1) ** (step // 5)
        return {
            "auc": 0.05,
            "generator_loss": size,
            "discriminator_loss": 1.7e308,
            "real_score": size,
            "fake_score": -size,
            "generator_direction": None,
            "discriminator_direction": None,
        }

    assert told(steps=2000, every=every, change=change)
    assert told(steps=2000, every=every, change=lambda step, signals: {**change(step, signals), "fake_score": 1.7e308})


def test_a_gradient_may_jump_from_a_peak_of_0():
    def change(step, signals):  # every second norm is 0, and so is the least of each window
        return {"generator_gradient_norm": 1e9 if step > 2500 else float(step % 20 > 0)}

    (alert,) = [alert for alert in told(every=10, change=change) if alert.kind == "exploding_gradient"]
    assert "inf times its past peak over 3" in alert.message


def test_a_ratio_beyond_a_float_s_range_is_an_imbalance():
    alerts = told(change=after(1500, generator_update_ratio=1e-200, discriminator_update_ratio=1e200))
    assert "imbalance" in {alert.kind for alert in alerts}
    alerts = told(change=after(1500, generator_update_ratio=1e200, discriminator_update_ratio=1e-200))
    assert "imbalance" in {alert.kind for alert in alerts}
