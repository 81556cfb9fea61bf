"""The monitor around the signals: records, alerts, stopping, going on, and never standing in the way."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import warnings

import gan_loops as loops
import pytest
import torch
from gan_loops import Setting
from kept import Kept
from torch import nn
from torch.nn import functional

import gandiag
from gandiag.core.alert import Alert
from gandiag.core.errors import InputError, TrainingAlert, UnknownNameError, UsageError
from gandiag.core.run_log import read_run_log
from gandiag.monitor.capture.discriminators import Judge
from gandiag.monitor.replay import replay


def watch(setting, **options):
    options = {"sinks": [], "max_overhead": None, **options}
    return gandiag.watch(setting.G, setting.D, setting.og, setting.od, **options)


def gan_step(setting, fakes=lambda fake: fake, reals=lambda real: real):
    """One step of each player; both sides may be changed before the discriminator sees them."""
    setting.od.zero_grad()
    fake = setting.G(setting.noise())
    on_real, on_fake = setting.D(reals(setting.real())), setting.D(fakes(fake.detach()))
    (functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()).backward()
    setting.od.step()
    setting.og.zero_grad()
    functional.softplus(-setting.D(fakes(fake))).mean().backward()
    setting.og.step()


def poison(network):
    with torch.no_grad():
        next(network.parameters()).fill_(torch.nan)


# --- records ---


def test_a_record_every_50_steps_and_the_rest_at_the_end(tmp_path):
    setting = Setting()
    with watch(setting, run=tmp_path) as monitor:
        loops.separate_calls(setting, 120)
        assert monitor.current_step == 120
    assert [record.step for record in read_run_log(tmp_path).records] == [50, 100, 120]
    monitor.close()  # a second time
    assert setting.og._optimizer_step_pre_hooks == {}
    assert setting.D._forward_hooks == {}


def test_the_discriminator_alone_is_recorded_every_500_steps():
    setting, kept = Setting(), Kept()
    watch(setting, sinks=[kept])
    for _ in range(500):
        setting.od.zero_grad()
        setting.D(setting.real()).mean().backward()
        setting.od.step()
    assert [record.step for record in kept.records] == [0]
    assert kept.records[0].signals["discriminator_steps"] == 500


def test_the_log_is_complete_at_the_end_of_a_program(tmp_path):
    program = f"""
import sys; sys.path.insert(0, "tests/helpers")
import gan_loops as loops, gandiag
setting = loops.Setting()
gandiag.watch(setting.G, setting.D, setting.og, setting.od, run={str(tmp_path)!r})
loops.separate_calls(setting, 70)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=240)
    assert [record.step for record in read_run_log(tmp_path).records] == [50, 70]


def test_a_replay_of_the_log_raises_the_same_alerts(tmp_path):
    setting = Setting()
    with watch(setting, run=tmp_path) as monitor:
        loops.separate_calls(setting, 60)
        poison(setting.G)
        loops.separate_calls(setting, 60)
    assert "non_finite" in [alert.kind for alert in monitor.alerts]
    again = replay(read_run_log(tmp_path).records)
    assert [alert.to_dict() for alert in again] == [alert.to_dict() for alert in monitor.alerts]


def test_an_old_log_is_kept(tmp_path):
    for _ in range(2):
        setting, kept = Setting(), Kept()
        with watch(setting, run=tmp_path, sinks=[kept]):
            loops.separate_calls(setting, 50)
    assert len(read_run_log(tmp_path / "run.1.jsonl").records) == 1
    assert len(kept.notes) == 1
    assert "kept under another name" in kept.notes[0]


# --- what is read ---


@pytest.mark.parametrize("batch", [16, 256])
def test_samples_are_seen_where_the_discriminator_steps_rarely(monkeypatch, batch):
    monkeypatch.setattr(loops, "BATCH", batch)
    setting, kept = Setting(), Kept()
    with watch(setting, sinks=[kept]):
        for _ in range(40):
            gan_step(setting)
            for _ in range(6):
                setting.og.zero_grad()
                functional.softplus(-setting.D(setting.G(setting.noise()))).mean().backward()
                setting.og.step()
    assert [record.step for record in kept.records] == [50, 100, 150, 200, 250, 280]
    assert all("variance_ratio" in record.signals for record in kept.records[1:5])


def test_a_diagnosis_uses_the_limits_that_the_run_was_watched_with(tmp_path):
    (tmp_path / "limits.toml").write_text("[imbalance]\nratio = 15.0\n[mode_collapse]\nvariance_ratio = 0.01\n")
    limits = {"imbalance": {"ratio": 15.0}, "mode_collapse": {"variance_ratio": 0.01}}
    for name, thresholds in (("mapping", limits), ("file", tmp_path / "limits.toml")):
        with watch(Setting(), run=tmp_path / name, thresholds=thresholds):
            pass
        assert read_run_log(tmp_path / name).header["thresholds"] == limits
    with watch(Setting(), run=tmp_path / "usual"):
        pass
    assert "thresholds" not in read_run_log(tmp_path / "usual").header
    with pytest.raises(InputError, match=r"none\.toml"):
        watch(Setting(), thresholds=tmp_path / "none.toml")


def test_a_resumed_run_is_diagnosed_with_the_limits_that_it_went_on_with(tmp_path):
    first, second = {"imbalance": {"ratio": 15.0}}, {"mode_collapse": False}
    for thresholds, resume in ((first, False), (second, True)):
        with watch(Setting(), run=tmp_path, thresholds=thresholds, resume=resume):
            pass
        assert read_run_log(tmp_path).header["thresholds"] == thresholds
    with watch(Setting(), run=tmp_path, resume=True):
        pass
    assert read_run_log(tmp_path).header["thresholds"] == {}
    assert gandiag.diagnose(tmp_path).alerts == ()


def test_two_discriminators_have_signals_of_their_own():
    setting, kept = Setting(), Kept()
    other = Setting(seed=5)
    monitor = gandiag.watch(
        setting.G,
        {"A": setting.D, "B": other.D},
        setting.og,
        {"A": setting.od, "B": other.od},
        sinks=[kept],
        max_overhead=None,
    )
    aucs = {"A": [], "B": []}
    for _ in range(50):
        fake = setting.G(setting.noise())
        judges = {"A": (setting.D, setting.od), "B": (other.D, other.od)}
        for name, (judge, optimizer) in judges.items():
            optimizer.zero_grad()
            real = setting.real() + (name == "B")
            on_real, on_fake = judge(real), judge(fake.detach())
            (functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()).backward()
            aucs[name].append(float((on_real > on_fake.T).double().mean()))
            optimizer.step()
        setting.og.zero_grad()
        (functional.softplus(-setting.D(fake)) + functional.softplus(-other.D(fake))).mean().backward()
        setting.og.step()
    monitor.close()
    signals = kept.records[0].signals
    for name, values in aucs.items():
        assert signals[f"auc@{name}"] == pytest.approx(sum(values) / 50, rel=1e-5)
        assert f"discriminator_gradient_norm@{name}" in signals
    assert signals["generator_direction"] == 1
    assert "generator_gradient_norm" in signals
    assert kept.notes == []


def test_one_optimizer_of_both_players_is_split():
    setting, kept = Setting(), Kept()
    both = torch.optim.SGD([*setting.G.parameters(), *setting.D.parameters()], 1e-3)
    gandiag.watch(setting.G, setting.D, both, both, sinks=[kept], max_overhead=None)
    norms = {"generator": [], "discriminator": []}
    for _ in range(50):
        both.zero_grad()
        on_fake = setting.D(setting.G(setting.noise()))
        (functional.softplus(-setting.D(setting.real())).mean() + functional.softplus(on_fake).mean()).backward()
        for name, network in (("generator", setting.G), ("discriminator", setting.D)):
            norms[name].append(float(sum(p.grad.square().sum() for p in network.parameters()) ** 0.5))
        both.step()
    for name, values in norms.items():
        assert kept.records[0].signals[f"{name}_gradient_norm_max"] == pytest.approx(max(values), rel=1e-5)


def test_augmented_fakes_are_said_to_be_unreadable_once():
    setting, kept = Setting(), Kept()
    monitor = watch(setting, sinks=[kept])
    for _ in range(200):
        gan_step(setting, fakes=lambda fake: fake + 0.1, reals=lambda real: real + 0.1)
    assert len(kept.notes) == 1
    assert "none of its inputs is an output of the generator" in kept.notes[0]
    assert "observe" in kept.notes[0]
    assert not any("auc" in record.signals for record in kept.records)
    assert "unreadable" in monitor.report()
    assert "inactive: mode_collapse" in monitor.report()


def judged_batches(setting, steps, batches):
    """Steps whose discriminator judges what a function of the step, real samples and fakes makes of them."""
    for step in range(steps):
        setting.od.zero_grad()
        real, fake = setting.real(), setting.G(setting.noise())
        torch.stack([setting.D(batch).square().mean() for batch in batches(step, real, fake.detach())]).sum().backward()
        setting.od.step()
        setting.og.zero_grad()
        setting.D(fake).square().mean().backward()
        setting.og.step()


@pytest.mark.parametrize(
    "batches",
    [
        lambda step, real, fake: [real, fake, fake + 1],  # fakes of old, or copies that were augmented
        lambda step, real, fake: [real, fake, real + 1, fake + 1],
        lambda step, real, fake: [real[:8], fake[:8], fake[:8] + 1, real[8:].clone(), fake[8:], fake[8:] + 1],
        lambda step, real, fake: [real, torch.cat([fake, fake[:8] + 1])],
    ],
)
def test_what_may_be_fakes_beside_the_fakes_does_not_count_as_real(batches):
    setting, kept = Setting(), Kept()
    monitor = watch(setting, sinks=[kept])
    judged_batches(setting, 100, batches)
    assert not any({"auc", "variance_ratio", "real_score"} & record.signals.keys() for record in kept.records)
    assert all("generator_direction" in record.signals for record in kept.records)
    assert len(kept.notes) == 1
    assert "more batches beside the fakes than can be real" in kept.notes[0]
    assert "observe" in kept.notes[0]
    assert "more batches beside the fakes" in monitor.report()


def test_a_device_may_answer_late_where_the_fakes_stand(monkeypatch):
    def place(self, step, whole, fake):
        """As on a GPU, whose answer comes with the window's other numbers."""
        key = f"{len(self.calls)} {tuple(whole.shape)} {tuple(fake.shape)} {whole.requires_grad}"
        self._buffers.put("layout", f"{self.player.key} {key}", step, self.layouts.compare(whole, fake))
        return self.layouts.known.get(f"{self.player.key} {key}")

    monkeypatch.setattr(Judge, "_place", place)
    setting, kept = Setting(), Kept()
    watch(setting, sinks=[kept])
    loops.concatenated(setting, 150)
    assert kept.notes == []
    assert ["auc" in record.signals for record in kept.records] == [False, True, True]
    assert kept.records[1].signals["auc"] == pytest.approx(sum(setting.hand.values["auc"][50:100]) / 50, rel=1e-5)


def test_a_replay_that_begins_late_is_told_and_one_that_ends_is_over():
    setting, kept = Setting(), Kept()
    monitor = watch(setting, sinks=[kept])
    judged_batches(setting, 40, lambda step, real, fake: [real, fake])
    judged_batches(setting, 110, lambda step, real, fake: [real, fake, fake + 1])
    assert ["auc" in record.signals for record in kept.records] == [True, False, False]
    assert [note.partition(":")[0] for note in kept.notes] == ["the outputs of the discriminator cannot be read"]
    judged_batches(setting, 50, lambda step, real, fake: [real, fake])
    assert "auc" in kept.records[-1].signals
    assert "unreadable" not in monitor.report()


@pytest.mark.parametrize(
    "batches",
    [
        lambda step, real, fake: [real[:8].clone(), real[8:].clone(), fake],  # split on one side alone
        lambda step, real, fake: [real, real, fake],  # a second pass, as a penalty needs
        lambda step, real, fake: [real, fake, real.clone().requires_grad_()],
        lambda step, real, fake: [real, fake[:4]],
        lambda step, real, fake: [real, fake, fake * 1.0] if step % 3 == 0 else [real, fake],
    ],
)
def test_what_is_certainly_real_is_read(batches):
    setting, kept = Setting(), Kept()
    watch(setting, sinks=[kept])
    judged_batches(setting, 100, batches)
    assert kept.notes == []
    assert all({"auc", "variance_ratio"} <= record.signals.keys() for record in kept.records)


def test_both_losses_may_be_made_before_either_step():
    setting, kept = Setting(), Kept()
    watch(setting, sinks=[kept])
    for _ in range(50):
        real, fake = setting.real(), setting.G(setting.noise())
        on_real, on_fake, for_generator = setting.D(real), setting.D(fake.detach()), setting.D(fake)
        setting.hand.scores(on_real, on_fake)
        setting.hand.slope((1 - for_generator.detach().double().sigmoid()).mean())
        setting.og.zero_grad()
        setting.od.zero_grad()
        functional.softplus(-for_generator).mean().backward(inputs=list(setting.G.parameters()))
        loss = functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()
        loss.backward(inputs=list(setting.D.parameters()))
        setting.og.step()
        setting.od.step()
    hand = setting.hand.values
    signals = kept.records[0].signals  # the window ends at the generator's 50th step
    assert signals["auc"] == pytest.approx(sum(hand["auc"][:49]) / 49, rel=1e-5)
    assert signals["loss_slope"] == pytest.approx(sum(hand["loss_slope"]) / 50, rel=1e-5)
    assert signals["discriminator_direction"] == signals["generator_direction"] == 1


@pytest.mark.parametrize("small_first", [True, False])
def test_a_discriminator_may_have_two_optimizers_that_step_in_any_order(small_first):
    setting, kept = Setting(), Kept()
    large = torch.optim.Adam([*setting.D[0].parameters(), setting.D[2].weight], 2e-3)
    small = torch.optim.Adam([setting.D[2].bias], 2e-3)
    gandiag.watch(setting.G, setting.D, setting.og, [large, small], sinks=[kept], max_overhead=None)
    setting.od = torch.optim.SGD([nn.Parameter(torch.zeros(1))])  # the loop's call of it does nothing
    first, second = (small, large) if small_first else (large, small)
    setting.od.register_step_post_hook(lambda *_: (first.step(), second.step(), None)[2])
    loops.separate_calls(setting, 50)
    assert kept.records[0].signals["auc"] == pytest.approx(sum(setting.hand.values["auc"]) / 50, rel=1e-5)


def test_a_discriminator_none_of_whose_phases_is_read_is_told():
    setting, kept = Setting(), Kept()
    both = torch.optim.SGD([*setting.G.parameters(), *setting.D[0].parameters()], 1e-9)
    gandiag.watch(setting.G, setting.D, [setting.og, both], setting.od, sinks=[kept], max_overhead=None)
    for _ in range(100):
        both.zero_grad()
        fake = setting.G(setting.noise())
        on_real, on_fake = setting.D(setting.real()), setting.D(fake.detach())
        (functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()).backward()
        both.step()
        setting.od.step()
        setting.og.zero_grad()
        functional.softplus(-setting.D(fake)).mean().backward()
        setting.og.step()
    assert len(kept.notes) == 1
    assert "no call of it comes between" in kept.notes[0]


def test_several_columns_are_unreadable_without_a_function_that_picks():
    def judges(**options):
        setting, kept = Setting(columns=3), Kept()
        monitor = watch(setting, sinks=[kept], **options)
        for _ in range(60):
            setting.od.zero_grad()
            fake = setting.G(setting.noise())
            on_real, on_fake = setting.D(setting.real()), setting.D(fake.detach())
            (functional.softplus(-on_real[:, -1]).mean() + functional.softplus(on_fake[:, -1]).mean()).backward()
            setting.hand.scores(on_real[:, -1], on_fake[:, -1])
            setting.od.step()
            setting.og.zero_grad()
            functional.softplus(-setting.D(fake)[:, -1]).mean().backward()
            setting.og.step()
        monitor.close()
        return setting, kept

    setting, kept = judges()
    assert len(kept.notes) == 1
    assert "several columns" in kept.notes[0]
    assert "auc" not in kept.records[0].signals
    assert "variance_ratio" in kept.records[0].signals  # samples need no score
    setting, kept = judges(score=lambda output: output[:, -1])
    assert kept.notes == []
    assert kept.records[0].signals["auc"] == pytest.approx(sum(setting.hand.values["auc"][:50]) / 50, rel=1e-5)


def play_by_mean(setting, steps):
    for _ in range(steps):
        setting.od.zero_grad()
        fake = setting.G(setting.noise())
        on_real, on_fake = setting.D(setting.real()), setting.D(fake.detach())
        (functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()).backward()
        setting.od.step()
        setting.og.zero_grad()
        functional.softplus(-setting.D(fake)).mean().backward()
        setting.og.step()


@pytest.mark.parametrize(
    ("rate", "options"),
    [(1, {}), (5, {}), (5, {"score": lambda output: output.logits if output.shape[-1] == 4 else output})],
)
def test_a_call_of_another_head_is_left_out(rate, options):
    class Rotations(nn.Module):
        def __init__(self, body):
            super().__init__()
            self.body, self.turns = body, nn.Linear(2, 4)

        def forward(self, samples, head="real"):
            return self.turns(samples) if head == "turn" else self.body(samples)

    setting, kept = Setting(), Kept()
    setting.D = Rotations(setting.D)
    monitor = watch(setting, sinks=[kept], **options)
    for step in range(150):
        setting.od.zero_grad()
        real, fake = setting.real(), setting.G(setting.noise())
        on_real, on_fake = setting.D(real), setting.D(fake.detach())
        setting.hand.scores(on_real, on_fake)
        loss = functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()
        if step >= 60 and step % rate == 0:
            loss = loss + setting.D(real.flip(1), "turn").square().mean()
        loss.backward()
        setting.od.step()
        setting.og.zero_grad()
        functional.softplus(-setting.D(fake)).mean().backward()
        setting.og.step()
    assert kept.notes == []
    assert "unreadable" not in monitor.report()
    for place, record in enumerate(kept.records):
        of_window = setting.hand.values["auc"][50 * place : 50 * (place + 1)]
        assert record.signals["auc"] == pytest.approx(sum(of_window) / 50, rel=1e-5)


def test_a_score_that_never_works_is_told_once():
    setting, kept = Setting(), Kept()
    monitor = watch(setting, sinks=[kept], score=lambda output: output.logits)
    play_by_mean(setting, 120)
    monitor.close()
    assert len(kept.notes) == 1
    assert "score= fails on its output, AttributeError" in kept.notes[0]
    assert "auc" not in kept.records[-1].signals
    assert "variance_ratio" in kept.records[0].signals


def test_outputs_that_can_be_read_again_are_no_longer_unreadable():
    class Growing(nn.Module):
        def __init__(self, body):
            super().__init__()
            self.body, self.columns = body, 3

        def forward(self, samples):
            return self.body(samples).repeat(1, self.columns)

    setting, kept = Setting(), Kept()
    setting.D = Growing(setting.D)
    monitor = watch(setting, sinks=[kept])
    play_by_mean(setting, 60)
    assert "several columns" in kept.notes[0]
    assert "unreadable" in monitor.report()
    setting.D.columns = 1
    play_by_mean(setting, 90)
    assert "unreadable" not in monitor.report()
    assert "auc" in kept.records[-1].signals


def test_an_autoencoder_is_scored_by_its_error():
    setting, kept = Setting(), Kept()
    setting.D = nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 2))
    setting.od = torch.optim.Adam(setting.D.parameters(), 1e-3)
    watch(setting, sinks=[kept])
    scores = []
    for _ in range(50):
        setting.od.zero_grad()
        real, fake = setting.real(), setting.G(setting.noise())
        of_real, of_fake = setting.D(real), setting.D(fake.detach())
        errors = [(a - b).abs().mean(dim=1) for a, b in ((of_real, real), (of_fake, fake.detach()))]
        (errors[0].mean() - 0.1 * errors[1].mean()).backward()
        scores.append(-float(errors[0].detach().mean()))
        setting.od.step()
        setting.og.zero_grad()
        (setting.D(fake) - fake).abs().mean().backward()
        setting.og.step()
    assert kept.records[0].signals["real_score"] == pytest.approx(sum(scores) / 50, rel=1e-5)


def test_an_energy_that_is_low_on_real_samples_points_the_other_way():
    setting, kept = Setting(), Kept()
    watch(setting, sinks=[kept])
    for _ in range(50):
        setting.od.zero_grad()
        fake = setting.G(setting.noise())
        (setting.D(setting.real()).mean() - setting.D(fake.detach()).mean()).backward()
        setting.od.step()
        setting.og.zero_grad()
        setting.D(fake).mean().backward()
        setting.og.step()
    assert kept.records[0].signals["discriminator_direction"] == -1
    assert kept.records[0].signals["generator_direction"] == -1


def test_skipped_steps_of_a_scaler_are_counted():
    setting, kept = Setting(), Kept()
    watch(setting, sinks=[kept])
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, growth_interval=10_000)

    def burst(gradient):
        return gradient * torch.inf if number in (20, 30) else gradient

    next(setting.D.parameters()).register_hook(burst)
    for number in range(60):  # noqa: B007 - read by the hook
        loops.scaled(setting, 1, scaler)
    signals = kept.records[0].signals
    assert signals["skipped_steps"] == pytest.approx(2 / 100, rel=0.1)
    assert signals["loss_scale"] == 2.0**38
    assert signals["non_finite_discriminator_gradients"] == 0


@pytest.mark.parametrize("fused", [False, True])
def test_the_share_of_skipped_steps_stays_right_where_few_steps_are_measured(fused):
    setting, kept = Setting(optimizer=lambda parameters: torch.optim.Adam(parameters, 2e-3, fused=fused)), Kept()
    watch(setting, sinks=[kept])
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**60, growth_interval=100_000)

    def burst(gradient):
        return gradient * torch.inf if number % 20 == 7 else gradient

    next(setting.D.parameters()).register_hook(burst)  # the discriminator's step alone is skipped: 1 of 40
    for number in range(1000):  # noqa: B007 - read by the hook
        loops.scaled(setting, 1, scaler)
    shares = [record.signals["skipped_steps"] for record in kept.records]
    assert len(shares) == 20
    assert sum(shares) / len(shares) == pytest.approx(1 / 40, rel=0.05)
    assert max(shares) < 0.05
    assert "non_finite" not in {alert.kind for alert in kept.alerts}


def test_steps_of_players_without_a_scaler_do_not_thin_out_the_skipped_ones():
    setting, kept = Setting(), Kept()
    watch(setting, sinks=[kept])
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**60, growth_interval=100_000)

    def burst(gradient):
        return gradient * torch.inf if number % 10 == 7 else gradient

    next(setting.D.parameters()).register_hook(burst)
    for number in range(100):  # noqa: B007 - read by the hook
        setting.od.zero_grad()
        fake = setting.G(setting.noise())
        on_real, on_fake = setting.D(setting.real()), setting.D(fake.detach())
        scaler.scale(functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()).backward()
        scaler.step(setting.od)
        scaler.update()
        setting.og.zero_grad()
        functional.softplus(-setting.D(fake)).mean().backward()
        setting.og.step()
    assert [record.signals["skipped_steps"] for record in kept.records] == pytest.approx([0.1, 0.1], rel=0.05)


@pytest.mark.parametrize("enabled", [True, False])
def test_each_optimizer_may_have_a_gradient_scaler_of_its_own(enabled):
    setting, kept = Setting(), Kept()
    watch(setting, sinks=[kept])
    scalers = {
        name: torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=10_000, enabled=enabled)
        for name, scale in (("D", 2.0**16), ("G", 2.0**4))
    }

    def burst(gradient):
        return gradient * torch.inf if number in (20, 30) else gradient

    if enabled:
        next(setting.G.parameters()).register_hook(burst)
    for number in range(60):
        setting.od.zero_grad()
        fake = setting.G(setting.noise())
        on_real, on_fake = setting.D(setting.real()), setting.D(fake.detach())
        loss = functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()
        scalers["D"].scale(loss).backward()
        scalers["D"].step(setting.od)
        scalers["D"].update()
        setting.og.zero_grad()
        on_fake = setting.D(fake)
        scalers["G"].scale(functional.softplus(-on_fake).mean()).backward()
        if not enabled or number not in (20, 30):
            setting.hand.slope((1 - on_fake.detach().double().sigmoid()).mean())
        scalers["G"].step(setting.og)
        scalers["G"].update()
    signals, slopes = kept.records[0].signals, setting.hand.values["loss_slope"]
    assert signals["loss_slope"] == pytest.approx(sum(slopes[:50]) / 50, rel=1e-4)
    assert kept.notes == []
    if enabled:
        assert signals["loss_scale"] == 2.0**2
        assert signals["skipped_steps"] == pytest.approx(2 / 100, rel=0.1)
    else:
        assert "loss_scale" not in signals


def test_an_encoder_in_the_generators_optimizer_is_fine_and_a_foreign_optimizer_is_not():
    setting, encoder = Setting(), nn.Linear(2, 2)
    together = torch.optim.Adam([*setting.G.parameters(), *encoder.parameters()])
    gandiag.watch(setting.G, setting.D, together, setting.od, sinks=[]).close()
    foreign = torch.optim.Adam(copy.deepcopy(setting.G).parameters())
    with pytest.raises(UsageError, match="g_optimizer updates no parameter of the generator"):
        gandiag.watch(setting.G, setting.D, foreign, setting.od, sinks=[])
    with pytest.raises(UsageError, match=r"expected a torch.nn.Module"):
        gandiag.watch(lambda noise: noise, setting.D, sinks=[])
    with pytest.raises(UsageError, match=r"expected a torch.optim.Optimizer"):
        gandiag.watch(setting.G, setting.D, "adam", sinks=[])
    with pytest.raises(UsageError, match="expected one of auto, bce"):
        watch(setting, loss="bce_loss")
    with pytest.raises(UnknownNameError, match="did you mean 'non_finite'"):
        watch(setting, stop_on={"nonfinite"})


# --- what the loop hands over ---


def test_observe_goes_before_the_hooks():
    setting, kept = Setting(), Kept()
    monitor = watch(setting, sinks=[kept])
    scores, losses = [], []
    for number in range(50):
        gan_step(setting)
        real, fake = torch.arange(8.0) + number, torch.arange(8.0)
        scores.append(float((real[:, None] > fake).double().mean() + 0.5 * (real[:, None] == fake).double().mean()))
        # After the step that ends the window there is the next one.
        if number < 49:
            monitor.observe(real_logits=real, fake_logits=fake, g_loss=torch.tensor(float(number)), d_loss=2.0)
            losses.append(number)
    signals = kept.records[0].signals
    assert signals["auc"] == pytest.approx(sum(scores[:49]) / 49, rel=1e-6)
    assert signals["generator_loss"] == pytest.approx(sum(losses) / 49, rel=1e-6)
    assert signals["discriminator_loss"] == 2.0


def test_observe_alone_with_the_loops_own_steps():
    kept, rows = Kept(), torch.randn(600, 3, generator=torch.Generator().manual_seed(0))
    monitor = gandiag.watch(None, None, sinks=[kept])
    with pytest.raises(UsageError, match="observe needs step"):
        monitor.observe(g_loss=1.0)
    for step in range(0, 101, 10):
        monitor.observe(step=step, real=rows, fake=0.5 * rows, d_loss=float("nan") if step == 70 else 1.0)
    monitor.close()
    assert [record.step for record in kept.records] == [50, 100]
    assert kept.records[0].signals["variance_ratio"] == pytest.approx(0.25, rel=1e-5)
    assert kept.records[1].signals["non_finite_losses"] == 1
    assert kept.records[1].signals["non_finite_step"] == 70


@pytest.mark.parametrize("label", [lambda step: 64 * step, lambda step: step // 40])
def test_steps_are_updates_of_the_generator_whatever_the_loop_counts(label):
    setting, kept = Setting(), Kept()
    monitor = watch(setting, sinks=[kept])
    for step in range(1, 121):
        loops.separate_calls(setting, 1)
        monitor.observe(step=label(step), d_loss=1.0)
    monitor.close()
    assert [record.step for record in kept.records] == [50, 100, 120]
    assert len(kept.notes) == 1
    assert "updates are the steps" in kept.notes[0]


@pytest.mark.parametrize("first", [0, 1])
def test_a_step_that_is_the_generators_needs_no_note(first):
    setting, kept = Setting(), Kept()
    with watch(setting, sinks=[kept]) as monitor:
        for step in range(60):
            monitor.observe(step=step + first)
            loops.separate_calls(setting, 1)
    assert kept.notes == []


def test_plain_numbers_from_anywhere():
    kept = Kept()
    monitor = gandiag.watch(None, None, sinks=[kept])
    for number in range(100):
        monitor.step({"auc": 0.75, "d_loss": 1.0}, g_loss=number, grad_norm_g=torch.tensor(float(number)))
    signals = kept.records[0].signals
    assert (kept.records[0].step, signals["auc"], signals["discriminator_loss"]) == (50, 0.75, 1.0)
    assert signals["generator_loss"] == pytest.approx(sum(range(50)) / 50)
    assert signals["generator_gradient_norm"] == pytest.approx(24.5)
    assert signals["generator_gradient_norm_max"] == 49
    with pytest.raises(UnknownNameError, match="did you mean 'auc'"):
        monitor.step({"aucc": 1.0})


def test_quality_is_measured_in_the_loop_which_does_not_notice():
    def score(network):
        network.eval()
        samples = network(torch.randn(64, loops.LATENT))
        network.train()
        seen.append(float(samples.std()))
        return {"spread": samples.std(), "mean": float(samples.mean())}

    seen, states = [], []
    for watched in (False, True):
        setting, kept = Setting(image=True), Kept()
        if watched:
            monitor = watch(setting, sinks=[kept])
            monitor.evaluate_every(25, score, name="look", better="higher")
        loops.patches(setting, 60)
        states.append([*setting.G.state_dict().values(), torch.get_rng_state()])
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))
    signals = kept.records[0].signals
    assert signals["quality_look_spread"] == pytest.approx(seen[1], rel=1e-5)
    assert signals["quality_look_spread_better"] == 1
    assert monitor.best["look_spread"].value == pytest.approx(max(seen))
    assert monitor.best["look_spread"].step in (25, 50)


def test_batch_norm_does_not_notice_that_it_is_asked_between_two_backward_passes():
    def run(options, steps=110):
        setting = Setting()
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(1)
            setting.D = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
        setting.od = torch.optim.Adam(setting.D.parameters(), 2e-3)
        if options is not None:
            held_out = torch.randn(8, 2, generator=torch.Generator().manual_seed(2)) if "held_out" in options else None
            monitor = watch(setting, sinks=[kept], held_out=held_out)
            if "evaluate" in options:
                monitor.evaluate_every(10, lambda network: network(torch.randn(8, loops.LATENT)).std(), name="look")
        for _ in range(steps):
            setting.od.zero_grad()
            setting.og.zero_grad()
            fake = setting.G(setting.noise())
            on_real, on_fake = setting.D(setting.real()), setting.D(fake.detach())
            loss = functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()
            slopes = torch.autograd.grad(functional.softplus(-setting.D(fake)).mean(), list(setting.G.parameters()))
            for parameter, slope in zip(setting.G.parameters(), slopes, strict=True):
                parameter.grad = slope
            setting.og.step()
            loss.backward()  # of a graph that holds the running statistics of before
            setting.od.step()
        return [*setting.G.state_dict().values(), *setting.D.state_dict().values(), setting.data.get_state()]

    plain = run(None)
    for options in ({"held_out"}, {"evaluate"}, {"held_out", "evaluate"}):
        kept = Kept()
        assert all(torch.equal(a, b) for a, b in zip(plain, run(options), strict=True)), options
        assert ("held_out_score" in kept.records[0].signals) == ("held_out" in options)
        assert ("quality_look" in kept.records[0].signals) == ("evaluate" in options)


def test_a_score_brings_its_error_and_direction():
    from gandiag.core.score import measured

    setting, kept = Setting(), Kept()
    monitor = watch(setting, sinks=[kept])
    found = measured(3.0, stderr=0.5, error_method="influence", better="lower", n_real=9, n_fake=9)
    monitor.evaluate_every(50, lambda network: found, name="kid", better="higher")
    loops.separate_calls(setting, 50)
    signals = kept.records[0].signals
    assert [signals[f"quality_kid{end}"] for end in ("", "_stderr", "_better")] == [3.0, 0.5, -1.0]


@pytest.mark.parametrize("generator", [None, "A", "B"])
def test_a_quality_is_measured_once_and_named_after_its_generator(generator):
    first, second, kept, seen = Setting(), Setting(1), Kept(), []
    monitor = gandiag.watch(
        {"A": first.G, "B": second.G},
        {"A": first.D, "B": second.D},
        {"A": first.og, "B": second.og},
        {"A": first.od, "B": second.od},
        sinks=[kept],
    )

    def score(network):
        seen.append((network, monitor.current_step))
        return len(seen)

    monitor.evaluate_every(10, score, name="look", better="higher", generator=generator)
    for step in range(1, 51):
        loops.separate_calls(first, 1)
        loops.separate_calls(second, 1)
        monitor.observe(step=64 * step)
    monitor.close()
    name, network = ("B", second.G) if generator == "B" else ("A", first.G)
    assert seen == [(network, step) for step in (10, 20, 30, 40, 50)]
    found = {key: value for record in kept.records for key, value in record.signals.items() if "quality" in key}
    assert found == {f"quality_look@{name}": 5, f"quality_look_better@{name}": 1}
    assert {key: best.value for key, best in monitor.best.items()} == {f"look@{name}": 5}
    with pytest.raises(UnknownNameError):
        gandiag.watch({"A": first.G}, first.D, sinks=[]).evaluate_every(10, score, generator="C")


# --- stopping ---


@pytest.mark.parametrize("options", [{"on_alert": "raise"}, {"stop_on": {"non_finite"}}])
def test_an_alert_stops_the_training_at_the_next_step(options, tmp_path):
    setting = Setting()
    monitor = watch(setting, run=tmp_path, **options)
    loops.separate_calls(setting, 60)
    poison(setting.G)
    with pytest.raises(TrainingAlert) as caught:
        loops.separate_calls(setting, 100)
    assert caught.value.alert.kind == "non_finite"
    assert monitor.current_step == 100
    assert copy.copy(caught.value).alert == caught.value.alert  # a worker's error is copied to its parent
    monitor.close()
    assert read_run_log(tmp_path).alerts[0].kind == "non_finite"


def test_a_function_is_called_with_each_alert_and_the_training_goes_on():
    setting, seen = Setting(), []
    monitor = watch(setting, on_alert=seen.append)
    poison(setting.D)
    loops.separate_calls(setting, 100)
    assert seen == monitor.alerts != []
    assert all(isinstance(alert, Alert) for alert in seen)


def test_the_first_step_and_module_that_are_not_finite_are_named():
    setting, kept = Setting(), Kept()
    watch(setting, sinks=[kept], locate_nonfinite=True)
    loops.separate_calls(setting, 30)
    with torch.no_grad():
        setting.G[2].weight.fill_(torch.inf)
    loops.separate_calls(setting, 20)
    assert kept.records[0].signals["non_finite_step"] == 31
    assert any("generator.2 (Linear) at step 31" in note for note in kept.notes)


# --- going on ---


def train(folder, steps, *, from_step=0, state=None, **options):
    """A deterministic run; the state of everything at its end."""
    setting = Setting()
    setting.od = torch.optim.Adam(setting.D.parameters(), 2e-3)
    if state is not None:
        for name, part in state["training"].items():
            getattr(setting, name).load_state_dict(part)
        setting.data.set_state(state["data"])
    monitor = watch(setting, run=folder, **options)
    if state is not None and "monitor" in state and options.get("load", True):
        monitor.load_state_dict(state["monitor"])
    loops.separate_calls(setting, steps)
    training = {name: copy.deepcopy(getattr(setting, name).state_dict()) for name in ("G", "D", "og", "od")}
    found = {"training": training, "data": setting.data.get_state(), "monitor": monitor.state_dict()}
    return monitor, found


def test_a_run_that_goes_on_has_the_records_of_one_that_never_stopped(tmp_path):
    whole, _ = train(tmp_path / "whole", 250)
    whole.close()
    first, state = train(tmp_path / "parts", 150)
    state["monitor"] = json.loads(json.dumps(state["monitor"]))  # plain values
    first.close()
    second, _ = train(tmp_path / "parts", 100, state=state, resume=True)
    second.close()
    one, other = (read_run_log(tmp_path / name).records for name in ("whole", "parts"))
    assert [record.step for record in one] == [record.step for record in other]
    varying = {"generator_update_ratio", "discriminator_update_ratio"}  # the copy of the weights is not kept
    for a, b in zip(one, other, strict=True):
        assert {k: v for k, v in a.signals.items() if k not in varying} == {
            k: v for k, v in b.signals.items() if k not in varying
        }


def test_what_a_resumption_undid_counts_no_more_and_no_alert_comes_twice(tmp_path):
    setting = Setting()
    monitor = watch(setting, run=tmp_path)
    loops.separate_calls(setting, 100)
    poison(setting.D)
    loops.separate_calls(setting, 100)
    before = [alert.to_dict() for alert in monitor.alerts]
    assert before
    monitor.close()
    # Adam's state says step 200; a fresh optimizer says nothing, and the log does.
    again, kept = Setting(), Kept()
    poison(again.D)
    monitor = watch(again, run=tmp_path, resume=True, sinks=[kept])
    assert monitor.current_step == 200
    assert [alert.to_dict() for alert in monitor.alerts] == before
    loops.separate_calls(again, 100)
    assert [alert.kind for alert in kept.alerts] == []
    monitor.close()
    fresh = Setting()
    monitor = watch(fresh, run=tmp_path, resume=100)
    assert monitor.alerts == []
    loops.separate_calls(fresh, 50)
    monitor.close()
    log = read_run_log(tmp_path)
    assert [record.step for record in log.records] == [50, 100, 150]
    assert log.alerts == ()


@pytest.mark.parametrize(("resume", "best"), [(True, (100, 2.0)), (60, (50, 3.0)), (40, None)])
def test_the_best_quality_is_still_known_after_a_stop(tmp_path, resume, best):
    values = iter([3.0, 2.0, 4.0, 5.0, 5.0])
    setting = Setting()
    with watch(setting, run=tmp_path) as monitor:
        monitor.evaluate_every(50, lambda network: next(values), name="look")
        loops.separate_calls(setting, 150)
    monitor = watch(Setting(), run=tmp_path, resume=resume)
    assert {name: (each.step, each.value) for name, each in monitor.best.items()} == ({"look": best} if best else {})
    monitor.close()


def test_after_a_stop_a_worse_quality_is_not_the_best(tmp_path):
    values = iter([{"up": 1.0, "down": 2.0}, {"up": 3.0, "down": 4.0}, {"up": 2.0, "down": 1.0}])
    for resume in (False, True):
        setting = Setting()
        monitor = gandiag.watch(
            {"A": setting.G}, setting.D, setting.og, setting.od, sinks=[], run=tmp_path, resume=resume
        )
        monitor.evaluate_every(50, lambda network: next(values), better="higher")
        loops.separate_calls(setting, 50 if resume else 100)
        monitor.close()
    found = {name: (each.step, each.value) for name, each in monitor.best.items()}
    assert found == {"quality_up@A": (100, 3.0), "quality_down@A": (100, 4.0)}


@pytest.mark.parametrize(("resume", "step"), [(True, 30), (1010, 1010), (0, 0), (False, 0)])
def test_without_a_log_a_resumed_run_counts_on(resume, step):
    setting, kept = Setting(), Kept()
    loops.separate_calls(setting, 30)  # Adam's state says so
    monitor = watch(setting, sinks=[kept], resume=resume)
    assert monitor.current_step == step
    loops.separate_calls(setting, 60)
    assert monitor.current_step == step + 60
    assert kept.records[0].step == step - step % 50 + 50


def test_a_state_that_is_none_is_refused():
    monitor = gandiag.watch(None, None, sinks=[])
    for state in ({}, {"state": 99}, {**monitor.state_dict(), "alerts": [3]}, []):
        with pytest.raises(InputError):
            monitor.load_state_dict(state)


# --- never in the way ---


def test_a_fault_inside_becomes_one_warning(monkeypatch):
    def fail(*arguments):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("gandiag.monitor.capture.optimizers.global_norm", fail)
    setting, kept = Setting(), Kept()
    monitor = watch(setting, sinks=[kept])
    with pytest.warns(RuntimeWarning, match="gradient norms failed and are switched off") as caught:
        loops.separate_calls(setting, 100)
    assert len(caught) == 1
    assert "auc" in kept.records[0].signals
    assert "generator_gradient_norm" not in kept.records[0].signals
    assert "broken on purpose" in monitor.report()


def test_a_warning_that_is_an_error_does_not_stop_the_training(monkeypatch, caplog):
    monkeypatch.setattr("gandiag.monitor.measure.diversity.pooled", lambda samples: 1 / 0)
    setting = Setting()
    watch(setting)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loops.separate_calls(setting, 60)
    assert "division by zero" in caplog.text


def test_a_sink_that_fails_is_left_out():
    class Failing(Kept):
        def record(self, record):
            raise OSError("disk full")

    setting, failing, kept = Setting(), Failing(), Kept()
    watch(setting, sinks=[failing, kept])
    with pytest.warns(RuntimeWarning, match="sink Failing failed"):
        loops.separate_calls(setting, 100)
    assert len(kept.records) == 2


def test_a_scorer_that_fails_is_asked_once():
    calls = []
    setting = Setting()
    watch(setting).evaluate_every(10, lambda network: calls.append(1) or "no number", name="look")
    with pytest.warns(RuntimeWarning, match="evaluation look"):
        loops.separate_calls(setting, 50)
    assert len(calls) == 1


def test_copies_and_pickles_of_a_watched_network_are_not_watched(tmp_path):
    setting, kept = Setting(), Kept()
    watch(setting, sinks=[kept])
    ema = copy.deepcopy(setting.G)
    loops.separate_calls(setting, 10)
    ema(setting.noise())
    torch.save(setting.G, tmp_path / "whole.pt")
    whole = torch.load(tmp_path / "whole.pt", weights_only=False)
    assert torch.equal(whole[0].weight, setting.G[0].weight)
    assert "gandiag" not in str((tmp_path / "whole.pt").read_bytes())
    whole(setting.noise())


def test_gandiag_0_switches_everything_off(monkeypatch, tmp_path):
    monkeypatch.setenv("GANDIAG", "0")
    setting = Setting()
    monitor = watch(setting, run=tmp_path / "run")
    monitor.evaluate_every(1, lambda network: 1 / 0)
    loops.separate_calls(setting, 5)
    monitor.observe(g_loss=1.0)
    monitor.step(g_loss=1.0)
    monitor.load_state_dict(monitor.state_dict())
    monitor.flush()
    monitor.close()
    assert not monitor.active
    assert monitor.alerts == []
    assert not (tmp_path / "run").exists()
    assert setting.og._optimizer_step_pre_hooks == {}
    assert setting.G._forward_hooks == {}


def test_memory_stays_flat():
    import gc

    setting = Setting()
    monitor = watch(setting)
    loops.separate_calls(setting, 250)
    counts = []
    for _ in range(2):
        loops.separate_calls(setting, 150)
        setting.hand.values.clear()
        gc.collect()
        counts.append(len(gc.get_objects()))
    # Histories of the detectors still fill; a leak of one object a step would be 150 and more.
    assert counts[1] - counts[0] < 140
    monitor.close()


@pytest.mark.parametrize("steps", [20, 203])  # the next one is measured, and is not
def test_no_graph_is_kept_of_calls_without_a_step(steps):
    import gc
    import weakref

    setting = Setting()
    watch(setting)
    loops.separate_calls(setting, steps)
    kept = []

    def pack(tensor):
        tensor = tensor.detach().clone()
        kept.append(weakref.ref(tensor))
        return tensor

    for _ in range(100):
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            setting.D(setting.G(setting.noise())).mean()
    gc.collect()
    assert kept
    assert all(tensor() is None for tensor in kept)


def test_evaluation_between_steps_is_not_taken_for_training():
    setting, kept = Setting(), Kept()
    watch(setting, sinks=[kept])
    for _ in range(50):
        loops.separate_calls(setting, 1)
        with torch.no_grad():
            setting.D(setting.real() + 100)
    assert kept.records[0].signals["auc"] == pytest.approx(sum(setting.hand.values["auc"]) / 50, rel=1e-5)


def test_a_penalty_by_torch_func_is_passed_over():
    setting, kept = Setting(), Kept()
    watch(setting, sinks=[kept])
    for _ in range(50):
        setting.od.zero_grad()
        real, fake = setting.real(), setting.G(setting.noise())
        on_real, on_fake = setting.D(real), setting.D(fake.detach())
        setting.hand.scores(on_real, on_fake)
        slopes = torch.func.vmap(torch.func.grad(lambda row: setting.D(row[None]).sum()))(real)
        loss = functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()
        (loss + slopes.square().sum(dim=1).mean()).backward()
        setting.od.step()
        setting.og.zero_grad()
        functional.softplus(-setting.D(fake)).mean().backward()
        setting.og.step()
    assert kept.notes == []
    assert kept.records[0].signals["auc"] == pytest.approx(sum(setting.hand.values["auc"]) / 50, rel=1e-5)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")  # by torch.func.jvp itself
def test_a_generator_under_torch_func_is_passed_over():
    setting, kept = Setting(), Kept()
    monitor = watch(setting, sinks=[kept])
    for step in range(50):
        if step == 20:
            torch.func.jvp(setting.G, (setting.noise(),), (torch.ones(loops.BATCH, loops.LATENT),))
            torch.func.vmap(setting.G)(setting.noise())
            weights = {name: each.detach() for name, each in setting.G.named_parameters()}
            noise = setting.noise()
            torch.func.grad(lambda weights: torch.func.functional_call(setting.G, weights, noise).sum())(weights)  # noqa: B023
        loops.separate_calls(setting, 1)
    assert kept.notes == []
    assert "switched off" not in monitor.report()
    assert kept.records[0].signals["auc"] == pytest.approx(sum(setting.hand.values["auc"]) / 50, rel=1e-5)


def test_a_discriminator_whose_weights_are_under_torch_func_is_passed_over():
    setting, kept = Setting(), Kept()
    monitor = watch(setting, sinks=[kept])
    for step in range(50):
        if step == 20:
            weights, real = {name: each.detach() for name, each in setting.D.named_parameters()}, setting.real()
            torch.func.grad(lambda weights: torch.func.functional_call(setting.D, weights, real).sum())(weights)  # noqa: B023
        loops.separate_calls(setting, 1)
    assert kept.notes == []
    assert "switched off" not in monitor.report()
    assert kept.records[0].signals["auc"] == pytest.approx(sum(setting.hand.values["auc"]) / 50, rel=1e-5)
