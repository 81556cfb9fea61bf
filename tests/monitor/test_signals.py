"""Signals equal what is taken by hand, in loops of many shapes, and the loops do not notice that they are watched."""

from __future__ import annotations

import inspect

import gan_loops as loops
import pytest
import torch
from gan_loops import Setting
from kept import Kept
from torch import nn

import gandiag
from gandiag.monitor.capture.scores import Unreadable, judgement

STEPS = 50
# torch.compile says so of a fake that requires a gradient, watched or not.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")


def adam(**options):
    return lambda parameters: torch.optim.Adam(parameters, 2e-3, betas=(0.5, 0.999), **options)


def wide(**options):
    setting = Setting(**options)
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(3)
        setting.D = nn.Sequential(nn.Linear(4, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    setting.od = torch.optim.Adam(setting.D.parameters(), 2e-3)
    return setting


SHAPES = {
    "separate calls": (loops.separate_calls, Setting, {"image": False}),
    "generator first": (loops.generator_first, Setting, {"sigmoid": True}),
    "concatenated": (loops.concatenated, Setting, {}),
    "critic steps and penalty": (loops.wgan_gp, Setting, {}),
    "r1": (loops.r1, Setting, {}),
    "patches": (loops.patches, Setting, {"image": True}),
    "patches with dropout": (loops.patches, Setting, {"image": True, "dropout": True}),
    "two heads": (loops.two_heads, Setting, {}),
    "accumulated": (loops.accumulated, Setting, {}),
    "scaled": (loops.scaled, Setting, {}),
    "scaled, fused": (loops.scaled, Setting, {"optimizer": adam(fused=True)}),
    "fused": (loops.separate_calls, Setting, {"optimizer": adam(fused=True)}),
    "closure": (loops.by_closure, Setting, {}),
    "compiled": (loops.compiled, Setting, {}),
    "condition in other channels": (loops.conditioned_on_an_image, wide, {}),
}


def play(name, steps, *, watched, **options):
    """Run a loop; its setting, what a sink kept, and the monitor."""
    loop, make, arguments = SHAPES[name]
    setting, kept, monitor = make(**arguments), Kept(), None
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(7)  # dropout draws from it
        body = loop if inspect.isgeneratorfunction(loop) else None
        running = body(setting, steps) if body else None
        if running:
            next(running)
        if watched:
            monitor = gandiag.watch(
                setting.G, setting.D, setting.og, setting.od, sinks=[kept], max_overhead=None, **options
            )
        if running:
            list(running)
        else:
            loop(setting, steps)
        state = torch.get_rng_state()
    if monitor is not None:
        monitor.close()
    return setting, kept, state


@pytest.mark.parametrize("name", SHAPES)
def test_signals_equal_those_taken_by_hand(name):
    setting, kept, _ = play(name, STEPS, watched=True)
    assert kept.notes == []
    record = kept.records[0]
    assert record.step == STEPS
    if name == "generator first":  # the discriminator's last step belongs to the next record
        for signal, values in setting.hand.values.items():
            if signal not in ("generator_gradient_norm", "loss_slope"):
                values.pop()
    wanted = setting.hand.signals()
    for signal, value in wanted.items():
        assert record.signals.get(signal) == pytest.approx(value, rel=1e-5, abs=1e-6), signal
    assert {"auc", "variance_ratio", "coverage", "vendi_ratio", "generator_steps"} <= record.signals.keys()


# Those of the others that differ in nothing which could disturb the training.
ALIKE = {"generator first", "r1", "patches", "fused", "accumulated", "two heads", "condition in other channels"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in ALIKE else []) for name in SHAPES]
)
def test_training_with_the_monitor_is_bit_for_bit_training_without_it(name):
    plain, _, state = play(name, 52, watched=False)
    held_out = None if name in ("two heads", "condition in other channels") else plain.real(8)
    seen, kept, seen_state = play(name, 52, watched=True, held_out=held_out, locate_nonfinite=name != "compiled")
    assert kept.records
    for one, other in ((plain.G, seen.G), (plain.D, seen.D)):
        for key, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[key]), key
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(a.grad, b.grad)
        assert [module.training for module in one.modules()] == [module.training for module in other.modules()]
    assert torch.equal(state, seen_state)
    if held_out is not None:
        assert "held_out_score" in kept.records[0].signals


def test_statistics_of_samples_equal_those_taken_by_hand(monkeypatch):
    monkeypatch.setattr(loops, "BATCH", 256)
    setting, kept, _ = play("separate calls", STEPS, watched=True)
    real, fake = (setting.hand.samples[side].double() for side in ("real", "fake"))
    signals = kept.records[0].signals
    among_real, among_fake, across = torch.cdist(real, real), torch.cdist(fake, fake), torch.cdist(real, fake)
    far = 1e9 * torch.eye(256)
    nearest = [float((each + far).min(dim=1).values.median()) for each in (among_fake, among_real)]
    radius = among_real.sort(dim=1).values[:, 5]
    kernels = []
    scale = float(among_real[~torch.eye(256, dtype=torch.bool)].median()) / 4
    for distances in (among_real, among_fake):
        kernel = (-distances[:128, :128].square() / (2 * scale**2)).exp() / 128
        shares = torch.linalg.eigvalsh(kernel).clamp_min(1e-30)
        kernels.append(float((-(shares * shares.log()).sum()).exp()))
    wanted = {
        "variance_ratio": float(fake.var(dim=0).sum() / real.var(dim=0).sum()),
        "pairwise_distance_ratio": float(among_fake.sum() / among_real.sum()),
        "nearest_neighbour_ratio": nearest[0] / nearest[1],
        "coverage": float((across.min(dim=1).values <= radius).double().mean()),
        "vendi_ratio": kernels[1] / kernels[0],
    }
    for name, value in wanted.items():
        assert signals[name] == pytest.approx(value, rel=1e-4), name


def test_the_way_of_the_weights():
    setting, kept = Setting(), Kept()
    monitor = gandiag.watch(setting.G, setting.D, setting.og, setting.od, sinks=[kept], max_overhead=None)
    loops.separate_calls(setting, 100)
    before = [parameter.detach().clone() for parameter in setting.G.parameters()]
    loops.separate_calls(setting, 100)
    monitor.close()
    after = [parameter.detach() for parameter in setting.G.parameters()]
    way = sum(float((a - b).double().square().sum()) for a, b in zip(after, before, strict=True))
    norm = sum(float(a.double().square().sum()) for a in after)
    last = next(record for record in kept.records if record.step == 200)
    assert last.signals["generator_update_ratio"] == pytest.approx((way / norm) ** 0.5, rel=1e-5)


def test_losses_are_told_from_their_derivatives():
    kinds = {
        "separate calls": "bce",
        "generator first": "probability",
        "patches": "lsgan",
        "r1": "bce",
        "accumulated": "bce",
    }
    for name, kind in kinds.items():
        loop, make, arguments = SHAPES[name]
        setting = make(**arguments)
        monitor = gandiag.watch(setting.G, setting.D, setting.og, setting.od, sinks=[], max_overhead=None)
        loop(setting, STEPS)
        assert f"its loss is {kind}" in monitor.report(), name
        monitor.close()


@pytest.mark.parametrize("squared", [False, True])
def test_slopes_of_a_reconstruction_are_those_along_its_error(squared):
    random = torch.Generator().manual_seed(0)
    judged, rebuilt = torch.rand(2, 6, 1, 4, 4, generator=random)
    rebuilt.requires_grad_()

    def loss(output):
        return ((output - judged) ** 2 if squared else (output - judged).abs()).mean()

    raw = judgement(rebuilt, judged)
    loss(rebuilt).backward()
    # The score is the error times -1: let each sample's error shrink in proportion, and see what the loss does.
    shrunk = torch.ones(6, requires_grad=True)
    loss(judged + (rebuilt.detach() - judged) * shrunk[:, None, None, None]).backward()
    by_score = -shrunk.grad / (rebuilt.detach() - judged).abs().flatten(1).mean(1)
    torch.testing.assert_close(raw.slopes(0, rebuilt.grad, judged)[:, 0], by_score)
    if not squared:
        torch.testing.assert_close(by_score, torch.full((6,), -1 / 6))


@pytest.mark.parametrize(
    ("output", "judged", "expected"),
    [
        ([[(4, 16, 64), (4, 64, 16), (4, 1, 8)]], (4, 1, 64), [(4, 1, 8)]),  # MelGAN: features, then scores
        (((4, 8), [(4, 128, 64), (4, 1, 8)]), (4, 1, 64), [(4, 1, 8)]),  # HiFi-GAN: scores, flat and as the last map
        ([[(4, 16, 64), (4, 1, 8)], [(4, 16, 32), (4, 1, 4)]], (4, 1, 64), [(4, 1, 8), (4, 1, 4)]),
        ((4, 1, 8), (4, 80, 64), [(4, 1, 8)]),
        ((4, 16, 8), (4, 1, 64), None),
        ([(4, 8, 8), (4, 4, 4)], (4, 3, 32, 32), [(4, 8, 8), (4, 4, 4)]),  # maps without their one channel
        ((4, 8, 8), (4, 3, 32, 32), [(4, 8, 8)]),
    ],
)
def test_maps_of_images_and_series_are_told_from_features(output, judged, expected):
    def made(shapes):
        if isinstance(shapes, list):
            return [made(each) for each in shapes]
        return tuple(map(made, shapes)) if isinstance(shapes[0], tuple) else torch.zeros(shapes)

    if expected is None:
        with pytest.raises(Unreadable, match="several columns"):
            judgement(made(output), torch.zeros(judged))
    else:
        raw = judgement(made(output), torch.zeros(judged))
        assert [tuple(tensor.shape) for tensor in raw.tensors] == expected
