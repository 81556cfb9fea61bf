"""Checkpoints as public trainers write them, loaded with a factory and no conversion."""

from __future__ import annotations

import argparse
import sys
import warnings
from types import ModuleType

import numpy as np
import pytest
import torch
from foreign_networks import CGan, Dcgan, Discriminator, Flat, Mimicry, OneHot, StudioGan, seeded
from torch import nn

from gandiag.core.errors import UsageError
from gandiag.core.generator_options import GeneratorOptions
from gandiag.core.protocols import ImageSpec, Latent
from gandiag.evaluation.resolve import Access, open_source
from gandiag.sources.generator import generator_source


def opened(path, network=None, **said):
    name = None if network is None else f"foreign_networks:{network}"
    return open_source(str(path), Access(seed=3, generator=GeneratorOptions(network=name, **said)))


def made(network, shape, noise):
    with torch.no_grad():
        return ((network(*noise) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).view(-1, *shape)


def test_pytorch_examples(tmp_path):
    network = seeded(Dcgan)
    torch.save(network.state_dict(), tmp_path / "netG_epoch_24.pth")
    source = opened(tmp_path / "netG_epoch_24.pth", "Dcgan")
    assert torch.equal(source.read(0, 9), made(network, (1, 8, 8), [source.noise(0, 9).view(9, 6, 1, 1)]))
    assert any("6,1,1" in warning and "--latent" in warning for warning in source.info.warnings)
    assert any("tanh" in warning and "--image-range" in warning for warning in source.info.warnings)


def test_pytorch_gan_with_an_embedded_label(tmp_path):
    network = seeded(CGan)
    torch.save(network.state_dict(), tmp_path / "generator.pth")
    source = opened(tmp_path / "generator.pth", "CGan")
    labels = source.labels(0, 50)
    assert source.info.details["labels"]["form"] == "index"
    assert set(labels.tolist()) == {0, 1, 2}
    assert torch.equal(source.read(0, 50), made(network, (1, 8, 8), [source.noise(0, 50), labels]))


def test_labels_as_one_hot(tmp_path):
    network = seeded(OneHot)
    torch.save({"generator": network.state_dict()}, tmp_path / "g.pt")
    source = opened(tmp_path / "g.pt", "OneHot")
    labels = source.labels(0, 50)
    one_hot = torch.nn.functional.one_hot(labels, 3).float()
    assert source.info.details["labels"]["form"] == "one-hot"
    assert torch.equal(source.read(0, 50), made(network, (1, 8, 8), [source.noise(0, 50), one_hot]))


def test_studiogan(tmp_path):
    network = seeded(StudioGan)
    states = {"state_dict": network.state_dict(), "optimizer": {}, "seed": 0, "best_fid": np.float64(9.5), "epoch": 4}
    torch.save(states, tmp_path / "model=G_ema-best-weights-step=100.pth")
    source = opened(tmp_path / "model=G_ema-best-weights-step=100.pth", "StudioGan")
    assert torch.equal(source.read(0, 9), made(network, (1, 8, 8), [source.noise(0, 9), source.labels(0, 9)]))
    assert source.info.weights == "state_dict"


def test_mimicry(tmp_path):
    network = seeded(Mimicry)
    optimiser = torch.optim.Adam(network.parameters())
    document = {
        "model_state_dict": network.state_dict(),
        "optimizer_state_dict": optimiser.state_dict(),
        "global_step": 1,
    }
    torch.save(document, tmp_path / "netG_1_steps.pth")
    source = opened(tmp_path / "netG_1_steps.pth", "Mimicry")
    assert torch.equal(source.read(0, 9), made(network, (1, 8, 8), [source.noise(0, 9)]))
    assert source.labels(0, 9) is None


def test_torchgan_with_its_losses_and_arguments_pickled_beside(tmp_path, monkeypatch):
    losses = ModuleType("torchgan.losses.minimax")
    losses.MinimaxGeneratorLoss = type("MinimaxGeneratorLoss", (nn.Module,), {"__module__": "torchgan.losses.minimax"})
    for name in ("torchgan", "torchgan.losses"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "torchgan.losses.minimax", losses)
    network = seeded(Dcgan)
    document = {
        "epoch": 2,
        "loss_objects": {"MinimaxGeneratorLoss": losses.MinimaxGeneratorLoss()},
        "metric_objects": None,
        "args": argparse.Namespace(lr=0.1),
        "generator": network.state_dict(),
        "discriminator": Discriminator().state_dict(),
    }
    torch.save(document, tmp_path / "gan0.model")
    for name in ("torchgan", "torchgan.losses", "torchgan.losses.minimax"):
        monkeypatch.delitem(sys.modules, name)
    source = opened(tmp_path / "gan0.model", "Dcgan")
    assert source.info.weights == "generator"
    assert "torchgan" not in sys.modules
    assert torch.equal(source.read(0, 9), made(network, (1, 8, 8), [source.noise(0, 9).view(9, 6, 1, 1)]))


def test_weights_without_buffers_or_counters_of_old_pytorch(tmp_path):
    network = seeded(Dcgan)
    state = {name: value for name, value in network.state_dict().items() if "num_batches_tracked" not in name}
    torch.save(state, tmp_path / "old.pth")
    assert torch.equal(opened(tmp_path / "old.pth", "Dcgan").read(0, 3)[0], opened_network(network).read(0, 3)[0])


def opened_network(network):
    latent = Latent(6, shape=(6, 1, 1))
    return generator_source(network, name="g", latent=latent, image=ImageSpec((1, 8, 8)), seed=3)


def test_half_precision_weights(tmp_path):
    network = seeded(Dcgan)
    torch.save({name: value.half() for name, value in network.state_dict().items()}, tmp_path / "half.pth")
    difference = opened(tmp_path / "half.pth", "Dcgan").read(0, 9).float() - opened_network(network).read(0, 9).float()
    assert difference.abs().max() <= 2


def test_a_generator_in_the_folder_of_the_user(tmp_path, monkeypatch):
    (tmp_path / "my_gan_code.py").write_text(
        "from torch import nn\n\n\ndef build(width):\n    return nn.Sequential(nn.Linear(4, width), nn.Sigmoid())\n"
    )
    monkeypatch.chdir(tmp_path)
    torch.save(seeded(Flat).body.state_dict(), "flat.pt")
    options = GeneratorOptions(network="my_gan_code:build", config={"width": 64}, image_shape=(1, 8, 8))
    source = open_source("flat.pt", Access(generator=options))
    assert source.info.shape == (1, 8, 8)
    assert source.info.details["image_range"] == [0.0, 1.0]
    assert str(tmp_path) not in sys.path


@pytest.mark.parametrize(("build", "form"), [(CGan, "index"), (OneHot, "one-hot")])
@pytest.mark.parametrize("kind", ["onnx", "pt2", "ts"])
def test_conditional_programs(build, form, kind, tmp_path):
    network, path = seeded(build), tmp_path / f"g.{kind}"
    trial = (torch.zeros(4, 5), torch.zeros(4, dtype=torch.int64) if form == "index" else torch.zeros(4, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "pt2":
            torch.export.save(torch.export.export(network, trial), path)
        elif kind == "ts":
            torch.jit.script(network).save(str(path))
        else:
            pytest.importorskip("onnxscript")
            free = ({0: torch.export.Dim("n")},) * 2
            names = ["z", "label"]
            torch.onnx.export(network, trial, input_names=names, dynamo=True, dynamic_shapes=free, verbose=False).save(
                str(path)
            )
    source = opened(path, classes=3)
    labels = source.labels(0, 30)
    assert source.info.details["labels"] == {"classes": 3, "labels": "uniform", "form": form}
    given = labels if form == "index" else torch.nn.functional.one_hot(labels, 3).float()
    difference = source.read(0, 30).int() - made(network, (1, 8, 8), [source.noise(0, 30), given]).int()
    assert difference.abs().max() <= (1 if kind == "onnx" else 0)


def test_labels_by_class_file_and_prior(tmp_path):
    torch.save(seeded(CGan).state_dict(), tmp_path / "g.pth")
    assert opened(tmp_path / "g.pth", "CGan", labels="2").labels(0, 20).unique().tolist() == [2]
    (tmp_path / "labels.txt").write_text("0\n1\n2\n2\n1\n")
    np.save(tmp_path / "labels.npy", np.array([0, 1, 2, 2, 1]))
    for name in ("labels.txt", "labels.npy"):
        source = opened(tmp_path / "g.pth", "CGan", labels=str(tmp_path / name))
        assert source.labels(1, 4).tolist() == [1, 2, 2]
        assert source.info.size == 5
    source = opened(tmp_path / "g.pth", "CGan", labels="prior")
    assert source.wants_prior
    known = source.with_prior(torch.tensor([0] * 1 + [2] * 3), "ref")
    counts = torch.bincount(known.labels(0, 4000), minlength=3)
    assert counts[1] == 0
    assert abs(int(counts[2]) - 3000) < 4 * (4000 * 0.75 * 0.25) ** 0.5
    assert torch.equal(torch.cat([known.labels(0, 300), known.labels(300, 4000)]), known.labels(0, 4000))
    assert not known.wants_prior
    with pytest.raises(UsageError, match="class 3"):
        source.with_prior(torch.tensor([3]), "ref")


def test_latents_truncated_on_the_sphere_and_from_a_file(tmp_path):
    torch.save(seeded(Dcgan).state_dict(), tmp_path / "g.pth")
    truncated = opened(tmp_path / "g.pth", "Dcgan", truncation=0.5).noise(0, 4000)
    assert float(truncated.abs().max()) <= 0.5
    # The variance of a standard normal number between -t and t is 1 - 2 t phi(t) / (2 Phi(t) - 1).
    assert float(truncated.var()) == pytest.approx(1 - 2 * 0.5 * 0.3520653 / 0.3829249, rel=0.02)
    sphere = opened(tmp_path / "g.pth", "Dcgan", noise="sphere").noise(0, 500)
    torch.testing.assert_close(sphere.norm(dim=1), torch.ones(500))
    assert float(sphere.mean(dim=0).abs().max()) < 0.1  # all of the sphere, not one orthant
    uniform = opened(tmp_path / "g.pth", "Dcgan", noise="uniform").noise(0, 500)
    assert float(uniform.min()) < -0.9
    rows = torch.randn(7, 6)
    np.save(tmp_path / "z.npy", rows.numpy())
    source = opened(tmp_path / "g.pth", "Dcgan", noise=str(tmp_path / "z.npy"))
    assert source.info.size == 7
    assert torch.equal(source.noise(2, 5), rows[2:5])
    assert not source.walks


class Batchwise(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 64)
        self.norm = nn.BatchNorm1d(64, track_running_stats=False)

    def forward(self, noise):
        return self.norm(self.body(noise)).tanh().view(-1, 1, 8, 8)


def test_what_looks_wrong_is_said():
    def source(function):
        return generator_source(function, name="g", latent=Latent(4), image=ImageSpec((1, 8, 8))).info.warnings

    mixed = source(seeded(Batchwise))
    assert len(mixed) == 1
    assert "batch normalisation" in mixed[0]

    def coarse(noise):
        return noise[:, :1].sign().view(-1, 1, 1, 1).expand(-1, 1, 8, 8)

    assert any("repeat others exactly" in warning for warning in source(coarse))
    counter = iter(range(100))

    def random(noise):
        return (noise[:, :1] * 0.1 + next(counter) * 0.01).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)

    assert any("no seed sets" in warning for warning in source(random))
    assert source(lambda noise: noise[:, :1].tanh().view(-1, 1, 1, 1).expand(-1, 1, 8, 8)) == ()
