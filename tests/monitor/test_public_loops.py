"""Public GAN scripts with the one line added: signals as taken by hand, no false alarm, illness named."""

from __future__ import annotations

import pytest
import torch
from kept import Kept
from public_scripts import CLASSES, SCRIPTS, Heads, Run, nn

import gandiag

STEPS = 50  # of the generator
pytestmark = pytest.mark.filterwarnings("error")
PER_STEP = {"wgan": 3, "wgan_gp": 3}  # batches to one step of the generator
GENERATOR_FIRST = set(SCRIPTS) - {"wgan", "wgan_gp", "softmax", "infogan, discriminator first"}
NO_CONFIDENCE = {"wgan", "wgan_gp", "began", "ebgan", "relativistic", "relativistic, pairs", "softmax"}


def play(name, steps, ill=None, *, watched=True, **options):
    """Run a script; the run, what a sink kept, and the random state at the end."""
    script, make = SCRIPTS[name]
    batches = 1 + PER_STEP.get(name, 1) * (steps - 1)
    optimizer = torch.optim.RMSprop if name == "wgan" else torch.optim.Adam
    run, kept, monitor = Run(make, batches, ill, optimizer=optimizer), Kept(), None
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(7)  # dropout draws from it
        if watched:
            monitor = gandiag.watch(
                run.generator,
                run.discriminator,
                run.optimizer_G,
                run.optimizer_D,
                sinks=[kept],
                max_overhead=None,
                **options,
            )
        script(run)
        state = torch.get_rng_state()
    if monitor is not None:
        monitor.close()
    return run, kept, state


@pytest.mark.parametrize("name", SCRIPTS)
def test_signals_equal_those_taken_by_hand_and_nothing_changes(name):
    run, kept, state = play(name, STEPS)
    assert kept.notes == []
    assert kept.alerts == []
    record = kept.records[0]
    assert record.step == STEPS
    if name in GENERATOR_FIRST:  # the discriminator's last step belongs to the next record
        for signal, values in run.hand.values.items():
            if signal not in ("generator_gradient_norm", "loss_slope"):
                values.pop()
    for signal, value in run.hand.signals().items():
        assert record.signals.get(signal) == pytest.approx(value, rel=1e-5, abs=1e-6), signal
    assert ("real_confidence" in record.signals) == (name not in NO_CONFIDENCE)
    assert {"auc", "variance_ratio", "coverage", "generator_steps"} <= record.signals.keys()
    plain, _, plain_state = play(name, STEPS, watched=False)
    for one, other in ((plain.generator, run.generator), (plain.discriminator, run.discriminator)):
        for key, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[key]), key
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            assert (a.grad is None and b.grad is None) or torch.equal(a.grad, b.grad)
    assert torch.equal(state, plain_state)


ILL = {"detached": (STEPS, "broken_loop"), "not a number": (STEPS, "non_finite"), "frozen": (210, "broken_loop")}
CRASHES = {"vanilla", "dcgan", "acgan", "dragan", "semi-supervised"}  # BCELoss itself refuses what is not a number
FAST = {("dcgan", "detached"), ("ebgan", "not a number"), ("wgan", "detached"), ("semi-supervised", "detached")}


@pytest.mark.parametrize(
    ("name", "ill"),
    [
        pytest.param(name, ill, marks=[] if (name, ill) in FAST else [pytest.mark.slow])
        for name in SCRIPTS
        for ill in ILL
        if ill != "not a number" or name not in CRASHES
    ],
)
def test_an_illness_is_named(name, ill):
    steps, kind = ILL[ill]
    _, kept, _ = play(name, steps, ill)
    assert kept.alerts, kept.records[-1]
    assert kept.alerts[0].kind == kind
    assert kept.notes == []


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SCRIPTS))
def test_a_healthy_run_is_silent(name):
    _, kept, _ = play(name, 600)
    assert [alert for alert in kept.alerts if alert.severity != "info"] == []
    assert kept.notes == []
    if name.startswith("relativistic"):  # its outputs have no place between two labels
        assert not any("real_confidence" in record.signals for record in kept.records)


class Columns(Heads):
    """K + 1 classes in one output, of which the last stands for fake."""

    def __init__(self):
        super().__init__()
        self.adv_layer = nn.Linear(128, CLASSES + 1)


def classes_alone(run):
    """A semi-supervised script without a validity of its own."""
    loss, made_up = nn.CrossEntropyLoss(), torch.full((len(run.valid),), CLASSES)
    for imgs, labels in run.loader():
        run.optimizer_G.zero_grad()
        gen_imgs = run.generator(run.z())
        (-loss(run.discriminator(run.shown(gen_imgs)), made_up)).backward()
        run.take_g()
        run.optimizer_G.step()
        run.optimizer_D.zero_grad()
        on_real, on_fake = run.discriminator(imgs), run.discriminator(gen_imgs.detach())
        (loss(on_real, labels) + loss(on_fake, made_up)).backward()
        run.take_d(-on_real[:, -1], -on_fake[:, -1])
        run.optimizer_D.step()


def test_classes_in_one_output_are_said_once_and_work_with_a_function(monkeypatch):
    monkeypatch.setitem(SCRIPTS, "classes", (classes_alone, lambda: (SCRIPTS["dcgan"][1]()[0], Columns())))
    run, kept, _ = play("classes", 110)
    assert len(kept.notes) == 1
    assert "several columns" in kept.notes[0]
    assert "observe" in kept.notes[0]
    assert not any("auc" in record.signals for record in kept.records)
    assert "variance_ratio" in kept.records[0].signals
    run, kept, _ = play("classes", STEPS, score=lambda output: -output[:, -1])
    assert kept.notes == []
    for name in ("real_score", "fake_score", "auc", "d_prime"):
        run.hand.values[name].pop()
        assert kept.records[0].signals[name] == pytest.approx(run.hand.signals()[name], rel=1e-5, abs=1e-6)
