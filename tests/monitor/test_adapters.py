"""The same alerts and signals from plain PyTorch, Lightning, Ignite and accelerate, each the real library."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings

import lightning.pytorch as pl
import pytest
import torch
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration
from ignite.engine import Engine
from kept import Kept
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

import gandiag
from gandiag.core.errors import UnknownNameError, UsageError
from gandiag.core.run_log import read_run_log
from gandiag.monitor.adapters import accelerate, ignite
from gandiag.monitor.adapters.lightning import GANMonitor

BATCH, LATENT = 32, 4
softplus = functional.softplus


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")


def batches(steps, seed=0):
    """A ring of eight points, and noise, for each step."""
    draw = torch.Generator().manual_seed(seed)
    angle = torch.randint(8, (steps, BATCH), generator=draw) * (torch.pi / 4)
    ring = torch.stack([angle.cos(), angle.sin()], -1) + 0.02 * torch.randn(steps, BATCH, 2, generator=draw)
    return list(zip(ring, torch.randn(steps, BATCH, LATENT, generator=draw), strict=True))


def networks():
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(1)
        G = nn.Sequential(nn.Linear(LATENT, 32), nn.ReLU(), nn.Linear(32, 2))
        return G, nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))


def adam(network):
    return torch.optim.Adam(network.parameters(), 1e-3, betas=(0.5, 0.999))


def sick(fault, at, fake):
    """What the discriminator is given in the generator's step."""
    if fault == "detached fake":
        return fake.detach()
    if fault == "not a number" and at == 60:
        return fake * torch.nan
    return fake


def gan_step(G, D, g_optimizer, d_optimizer, batch, at, fault, backward=torch.Tensor.backward):
    real, noise = batch
    if fault == "collapse" and at >= 300:
        noise = torch.zeros_like(noise)  # the latent is not drawn
    d_optimizer.zero_grad()
    fake = G(noise)
    d_loss = softplus(-D(real)).mean() + softplus(D(fake.detach())).mean()
    backward(d_loss)
    d_optimizer.step()
    g_optimizer.zero_grad()
    g_loss = softplus(-D(sick(fault, at, fake))).mean()
    if fault != "detached fake":
        backward(g_loss)
    g_optimizer.step()
    return {"errD": d_loss.item(), "errG": g_loss.item()}


def losses(output):
    return {"d_loss": output["errD"], "g_loss": output["errG"]}


class Ring(pl.LightningModule):
    def __init__(self, fault=None):
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = networks()
        self.fault, self.done = fault, 0

    def configure_optimizers(self):
        return [adam(self.generator), adam(self.discriminator)]

    def training_step(self, batch, at):
        self.done += 1
        return gan_step(
            self.generator, self.discriminator, *self.optimizers(), batch, at, self.fault, self.manual_backward
        )

    def validation_step(self, batch, at):
        self.discriminator(self.generator(batch[1]))


def trainer(*callbacks, **options):
    options = {"max_epochs": 1, "logger": False, "enable_checkpointing": False, **options}
    return pl.Trainer(
        callbacks=list(callbacks),
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def fit(of, module, data, **options):
    with warnings.catch_warnings():  # on few workers and the like
        warnings.simplefilter("ignore")
        of.fit(module, DataLoader(data, batch_size=None), **options)


def plain(fault, data, kept, **options):
    G, D = networks()
    optimizers = adam(G), adam(D)
    with gandiag.watch(G, D, *optimizers, sinks=[kept], max_overhead=None, **options):
        for at, batch in enumerate(data):
            gan_step(G, D, *optimizers, batch, at, fault)


def in_lightning(fault, data, kept, **options):
    fit(trainer(GANMonitor(sinks=[kept], max_overhead=None, **options)), Ring(fault), data)


def in_ignite(fault, data, kept, **options):
    G, D = networks()
    optimizers = adam(G), adam(D)
    engine = Engine(lambda engine, batch: gan_step(G, D, *optimizers, batch, engine.state.iteration - 1, fault))
    with ignite.attach(engine, gandiag.watch(G, D, *optimizers, sinks=[kept], max_overhead=None, **options)):
        engine.run(data, max_epochs=1)


def in_accelerate(fault, data, kept, **options):
    accelerator = Accelerator(cpu=True)
    G, D = networks()
    G, D, g_optimizer, d_optimizer = accelerator.prepare(G, D, adam(G), adam(D))
    monitor = gandiag.watch(G, D, g_optimizer, d_optimizer, sinks=[kept], max_overhead=None, **options)
    with accelerate.attach(accelerator, monitor):
        for at, batch in enumerate(data):
            gan_step(G, D, g_optimizer, d_optimizer, batch, at, fault, accelerator.backward)


ADAPTERS = {"lightning": in_lightning, "ignite": in_ignite, "accelerate": in_accelerate}


@pytest.mark.parametrize(
    ("fault", "steps", "kinds"),
    [
        (None, 110, []),
        ("detached fake", 110, ["broken_loop"]),
        ("not a number", 110, ["non_finite"]),
        pytest.param("collapse", 900, ["mode_collapse"], marks=pytest.mark.slow),
    ],
)
def test_the_same_signals_and_alerts_as_in_plain_pytorch(fault, steps, kinds):
    data, kept = batches(steps), Kept()
    plain(fault, data, kept)
    assert [alert.kind for alert in kept.alerts][: len(kinds)] == kinds
    assert bool(kept.alerts) == bool(kinds)
    assert [record.step for record in kept.records[:2]] == [50, 100]
    assert {"auc", "variance_ratio", "generator_gradient_norm"} <= kept.records[0].signals.keys()
    for name, run in ADAPTERS.items():
        other = Kept()
        run(fault, data, other)
        assert other.seen() == kept.seen(), name
        assert other.notes == kept.notes, name


# --- to stop ---


def test_lightning_ends_by_should_stop():
    kept, module = Kept(), Ring("not a number")
    callback = GANMonitor(sinks=[kept], stop_on={"non_finite"}, max_overhead=None)
    fit(trainer(callback), module, batches(160))
    assert [alert.kind for alert in kept.alerts] == ["non_finite"]
    assert module.done == 100
    assert callback.monitor.current_step == 100  # trainer.global_step counts both optimizers


def test_an_alert_that_stops_nothing_lets_lightning_go_on():
    module = Ring("not a number")
    fit(trainer(GANMonitor(sinks=[], stop_on={"mode_collapse"}, max_overhead=None)), module, batches(105))
    assert module.done == 105


def test_ignite_ends_by_terminate():
    kept, data = Kept(), batches(160)
    G, D = networks()
    optimizers = adam(G), adam(D)

    def step(engine, batch):
        return gan_step(G, D, *optimizers, batch, engine.state.iteration - 1, "not a number")

    engine = Engine(step)
    monitor = gandiag.watch(G, D, *optimizers, sinks=[kept], on_alert="raise", max_overhead=None)
    ignite.attach(engine, monitor, losses)
    state = engine.run(data, max_epochs=3)
    assert state.iteration == 100
    assert kept.alerts[0].kind == "non_finite"
    assert {"generator_loss", "discriminator_loss"} <= kept.records[0].signals.keys()


def test_ignite_with_numbers_alone():
    output = {"errD": 1.0, "errG": 1.0, "D_x": 0.5, "D_G_z1": 0.4}
    engine, kept = Engine(lambda engine, batch: {**output, "errG": float("nan") if batch == 70 else 1.0}), Kept()

    def numbers(output):
        return {**losses(output), "real_confidence": output["D_x"], "fake_confidence": output["D_G_z1"]}

    monitor = gandiag.watch(None, None, sinks=[kept], stop_on={"non_finite"})
    ignite.attach(engine, monitor, numbers)
    assert engine.run(list(range(200)), max_epochs=1).iteration == 100
    assert kept.records[0].signals["fake_confidence"] == pytest.approx(0.4)
    assert [alert.kind for alert in kept.alerts] == ["non_finite"]


def test_ignite_names_a_number_that_no_signal_has():
    engine = Engine(lambda engine, batch: {"errD": 1.0})
    ignite.attach(engine, gandiag.watch(None, None, sinks=[]), lambda output: output)
    logging.getLogger("ignite.engine.engine.Engine").setLevel(logging.CRITICAL)
    with pytest.raises(UnknownNameError, match="errD"):
        engine.run([0], max_epochs=1)


def test_numbers_alone_stop_a_loop_of_their_own():
    monitor = gandiag.watch(None, None, sinks=[], stop_on={"non_finite"})
    for at in range(50):
        monitor.step(d_loss=float("nan") if at == 10 else 1.0)
    with pytest.raises(gandiag.TrainingAlert, match="non_finite at step 50"):
        monitor.step(d_loss=1.0)
    assert monitor.current_step == 50


# --- to go on ---


def test_lightning_goes_on_from_a_checkpoint(tmp_path):
    data = batches(240)
    whole = Kept()
    fit(trainer(GANMonitor(sinks=[whole], max_overhead=None)), Ring("detached fake"), data)

    def callback(kept):
        return GANMonitor(sinks=[kept], max_overhead=None, run=tmp_path / "run")

    first, second = Kept(), Kept()
    before = trainer(callback(first), max_steps=240)  # both optimizers count: 120 batches
    fit(before, Ring("detached fake"), data)
    before.save_checkpoint(tmp_path / "last.ckpt")
    # A checkpoint is read without unpickling anything but plain values.
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["callbacks"]["GANMonitor"]["step"] == 120
    after, resumed = trainer(again := callback(second), max_steps=480, max_epochs=2), Ring("detached fake")
    fit(after, resumed, data, ckpt_path=tmp_path / "last.ckpt")
    assert resumed.done == 120
    assert again.monitor.current_step == 240
    assert [alert.kind for alert in whole.alerts] == [alert.kind for alert in first.alerts] == ["broken_loop"]
    assert second.alerts == []
    assert [alert.kind for alert in again.monitor.alerts] == ["broken_loop"]
    assert [record.step for record in read_run_log(tmp_path / "run").records] == [50, 100, 120, 150, 200, 240]
    assert not (tmp_path / "run" / "run.1.jsonl").exists()


def test_lightning_fits_once_more():
    kept, module = Kept(), Ring()
    callback = GANMonitor(sinks=[kept], max_overhead=None)
    fit(trainer(callback), module, batches(60))
    fit(trainer(callback), module, batches(60, seed=1))
    assert callback.monitor.current_step == 120
    fit(trainer(callback), Ring(), batches(20))
    assert callback.monitor.current_step == 20


def test_ignite_keeps_it_in_a_checkpoint(tmp_path):
    from ignite.handlers import Checkpoint, DiskSaver

    monitor = gandiag.watch(None, None, sinks=[])
    engine = Engine(lambda engine, batch: {"d_loss": 1.0})
    ignite.attach(engine, monitor, lambda output: output)
    engine.run(list(range(70)), max_epochs=1)
    Checkpoint({"monitor": monitor, "trainer": engine}, DiskSaver(tmp_path))(engine)
    saved = torch.load(next(tmp_path.glob("*.pt")), weights_only=True)
    again = gandiag.watch(None, None, sinks=[])
    Checkpoint.load_objects({"monitor": again}, {"monitor": saved["monitor"]})
    assert again.current_step == 70


def test_accelerate_sets_its_trigger_and_goes_on_from_its_checkpoint(tmp_path):
    kept, data = Kept(), batches(160)
    accelerator = Accelerator(cpu=True, project_config=ProjectConfiguration(str(tmp_path)))

    def begin(kept):
        prepared = accelerator.prepare(*(made := networks()), *map(adam, made))
        options = {"sinks": [kept], "stop_on": {"non_finite"}, "max_overhead": None}
        monitor = gandiag.watch(*prepared, run=tmp_path / "run", resume=True, **options)
        return *prepared, accelerate.attach(accelerator, monitor)

    G, D, g_optimizer, d_optimizer, monitor = begin(kept)
    for at, batch in enumerate(data):
        gan_step(G, D, g_optimizer, d_optimizer, batch, at, "not a number", accelerator.backward)
        if accelerator.check_trigger():
            break
    assert at == 99
    assert [alert.kind for alert in kept.alerts] == ["non_finite"]
    accelerator.save_state(str(tmp_path / "state"))
    monitor.close()
    accelerator.free_memory()
    accelerator._custom_objects.clear()  # a new process has none
    *_, again = begin(later := Kept())
    accelerator.load_state(str(tmp_path / "state"))
    again.close()
    assert again.current_step == 100
    assert [alert.kind for alert in again.alerts] == ["non_finite"]
    assert later.alerts == []
    assert [record.step for record in read_run_log(tmp_path / "run").records] == [50, 100]


# --- where Lightning differs ---


def test_lightning_s_sanity_checks_and_trial_runs_are_not_watched(tmp_path, capsys):
    callback = GANMonitor(run=tmp_path / "run")
    fit(trainer(callback, fast_dev_run=True), Ring("detached fake"), batches(60))
    assert callback.monitor is None
    assert not (tmp_path / "run").exists()
    assert "gandiag" not in capsys.readouterr().err
    seen = []

    class Sees(pl.Callback):
        def on_sanity_check_end(self, *_):
            seen.append(callback.monitor)

    of = trainer(callback, Sees(), num_sanity_val_steps=2)
    fit(of, Ring(), batches(20), val_dataloaders=DataLoader(batches(4), batch_size=None))
    assert seen == [None]
    assert callback.monitor.current_step == 20


def test_lightning_s_wrapped_optimizers_are_unwrapped():
    module, kept = Ring(), Kept()

    class Watches(pl.Callback):
        def on_train_start(self, trainer, module):
            # What `self.optimizers()` gives.
            self.monitor = gandiag.watch(
                module.generator, module.discriminator, *module.optimizers(), sinks=[kept], max_overhead=None
            )

    fit(trainer(watches := Watches()), module, batches(50))
    watches.monitor.close()
    assert "generator_gradient_norm" in kept.records[0].signals


def test_lightning_with_several_networks_and_a_third_optimizer():
    class Three(Ring):
        def __init__(self):
            super().__init__()
            self.encoder, self.judges = nn.Linear(2, 2), nn.ModuleDict({"a": self.discriminator})
            del self.discriminator

        def configure_optimizers(self):
            return [adam(self.encoder), adam(self.generator), adam(self.judges)]

        def training_step(self, batch, at):
            _, g, d = self.optimizers()
            return gan_step(self.generator, self.judges["a"], g, d, batch, at, None, self.manual_backward)

    kept = Kept()
    fit(
        trainer(GANMonitor(discriminator={"A": "judges.a"}, output_transform=losses, sinks=[kept], max_overhead=None)),
        Three(),
        batches(55),
    )
    assert {"auc@A", "generator_gradient_norm", "generator_loss"} <= kept.records[0].signals.keys()


def test_lightning_names_the_networks_that_there_are():
    with pytest.raises(UsageError, match=r"no network 'netG'; its networks are generator, discriminator") as caught:
        fit(trainer(GANMonitor("netG")), Ring(), batches(2))
    assert "GANMonitor(generator=...)" in str(caught.value)


def test_a_trainer_of_pytorch_lightning_takes_the_same_callback():
    import pytorch_lightning

    class Old(pytorch_lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False
            self.generator, self.discriminator = networks()

        configure_optimizers = Ring.configure_optimizers

        def training_step(self, batch, at):
            gan_step(self.generator, self.discriminator, *self.optimizers(), batch, at, None, self.manual_backward)

    kept, of = Kept(), pytorch_lightning.Trainer
    options = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    callback = GANMonitor(sinks=[kept], max_overhead=None)
    fit(
        of(max_epochs=1, accelerator="cpu", enable_progress_bar=False, callbacks=[callback], **options),
        Old(),
        batches(50),
    )
    assert "auc" in kept.records[0].signals


@pytest.mark.parametrize(
    ("module", "blocked", "says"),
    [
        ("lightning", ("lightning", "pytorch_lightning"), "gandiag[lightning]"),
        ("ignite", ("ignite",), "gandiag[ignite]"),
    ],
)
def test_a_missing_package_names_the_extra(module, blocked, says):
    call = "adapter.attach(None, gandiag.watch(None, None, sinks=[]))" if module == "ignite" else ""
    program = f"""
import sys
for name in {blocked!r}:
    sys.modules[name] = None
import gandiag
try:
    import gandiag.monitor.adapters.{module} as adapter
    {call}
except gandiag.GandiagError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=240)
    assert says in done.stdout
