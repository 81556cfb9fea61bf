from __future__ import annotations

import json
import pickle
import shlex
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch
from foreign_networks import Dcgan, Discriminator, seeded
from torch import nn
from translators import Double

import gandiag
from gandiag import inspect_file
from gandiag.sources import GENERATORS


@pytest.fixture
def trainer(tmp_path):
    network = seeded(Dcgan)
    document = {
        "epoch": 3,
        "G": network.state_dict(),
        "D": Discriminator().state_dict(),
        "G_ema": {f"module.{name}": value for name, value in network.state_dict().items()},
    }
    torch.save(document, tmp_path / "trainer.pt")
    return tmp_path / "trainer.pt"


def test_a_trainers_checkpoint(gandiag_command, trainer):
    finished = gandiag_command("inspect", trainer, "--json", "-")
    document = json.loads(finished.out)
    state = torch.load(trainer, weights_only=True)
    expected = {
        f"{place}.{name}": {"shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
        for place in ("G", "D", "G_ema")
        for name, value in state[place].items()
    }
    assert document["tensors"] == expected
    assert document["parameters"] == sum(
        value.numel() for place in ("G", "D", "G_ema") for value in state[place].values()
    )
    assert document["taken"] == "G_ema"
    assert {group["name"]: group["seems"] for group in document["groups"]} == {
        "G": "a generator",
        "D": "no generator",
        "G_ema": "averaged weights",
    }
    assert document["latent"] == [6, 1, 1]
    assert document["values"]["epoch"] == 3
    assert (document["imports"], document["runs"]) == ([], [])
    text = gandiag_command("inspect", trainer).out
    for word in (
        "file of torch.save",
        "G_ema: averaged weights, 7 tensors",
        "would be taken",
        "6x8x4x4",
        "gandiag score",
    ):
        assert word in text


def test_the_command_line_that_it_offers_scores_the_file(gandiag_command, trainer, tmp_path):
    words = json.loads(gandiag_command("inspect", trainer, "--json", "-").out)["command"].split()
    np.save(tmp_path / "real.npy", np.random.default_rng(0).integers(0, 256, (200, 1, 8, 8), dtype=np.uint8))
    words = [
        {"package.module:factory": "foreign_networks:Dcgan", "REF": tmp_path / "real.npy"}.get(w, w) for w in words
    ]
    more = ("--metric", "fid", "--extractor", "pixels", "-n", 100, "--latent", "6,1,1", "--json", "-")
    finished = gandiag_command(*words[1:], "--image-range", "-1,1", *more)
    result = json.loads(finished.out)
    assert result["source"]["weights"] == "G_ema.module"
    assert result["source"]["generator"]["latent"] == {"shape": [6, 1, 1], "distribution": "normal"}
    assert not any("taken to be" in warning for warning in result["warnings"])


def test_gandiags_own_checkpoint(save_ring):
    found = inspect_file(save_ring())
    assert found.format == "gandiag checkpoint"
    assert (found.latent, found.image, found.taken) == ((4,), (2,), "generator")
    assert found.values["dataset"] == "ring8"
    assert found.command.startswith("gandiag score ")


@pytest.fixture
def doubling(tmp_path, monkeypatch):
    """The checkpoint of an image-to-image model, beside `low.npy` and what it makes of it, `high.npy`."""
    load = GENERATORS.load
    monkeypatch.setattr(GENERATORS, "load", lambda name: Double if name == "double" else load(name))
    taken, given = gandiag.ImageSpec((3, 8, 8), (0.0, 1.0)), gandiag.ImageSpec((3, 16, 16), (0.0, 1.0))
    gandiag.save_checkpoint(tmp_path / "double.pt", Double(), builder="double", config={}, input=taken, image=given)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "low.npy", pixels)
    np.save(tmp_path / "high.npy", pixels.repeat(2, axis=1).repeat(2, axis=2))
    return tmp_path / "double.pt"


def test_a_model_that_takes_images(gandiag_command, doubling):
    found = inspect_file(doubling)
    assert found.command == f"gandiag score {doubling} --inputs FOLDER --against REF"
    assert found.inputs == ({"name": "images", "shape": (3, 8, 8), "range": (0.0, 1.0)},)
    assert "input       images 3x8x8 0 to 1\n" in gandiag_command("inspect", doubling).out


def test_its_command_line_runs(gandiag_command, doubling):
    words = shlex.split(inspect_file(doubling).command)[1:]
    places = {"FOLDER": doubling.with_name("low.npy"), "REF": doubling.with_name("high.npy")}
    words = [places.get(word, word) for word in words]
    finished = gandiag_command(*words, "--metric", "pr@pixels", "--json", "-")
    assert finished.code == 0, finished.err
    assert json.loads(finished.out)["scores"]["precision@pixels"]["value"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"input": 7},
        {"input": {"shape": "x", "range": [float("nan"), 1.0]}},
        {"input": {"shape": [10**1000], "range": [0, 10**400]}, "latent": {"dim": 10**1000}},
        {"image": {"shape": [float("inf")], "range": [float("inf"), 10**1000]}},
    ],
)
def test_sizes_and_ranges_that_are_none_are_left_out(gandiag_command, save_ring, changes):
    path = save_ring()
    torch.save(torch.load(path, weights_only=True) | changes, path)
    document = json.loads(gandiag_command("inspect", path, "--json", "-").out)
    assert document["image_range"] is None
    assert all(each["range"] is None for each in document["inputs"])
    assert gandiag_command("inspect", path).code == 0


def test_every_kind_is_told_by_its_content(tmp_path):
    network = seeded(Dcgan)
    safetensors.torch.save_file(network.state_dict(), tmp_path / "a")
    assert inspect_file(tmp_path / "a").format == "safetensors file"
    np.save(tmp_path / "b.npy", np.zeros((4, 1, 8, 8), dtype=np.uint8))
    array = inspect_file(tmp_path / "b.npy")
    assert (array.tensors["array"].shape, array.tensors["array"].dtype) == ((4, 1, 8, 8), "uint8")
    np.savez(tmp_path / "c.npz", mu=np.zeros(3), sigma=np.eye(3))
    assert "statistics" in inspect_file(tmp_path / "c.npz").format
    np.savez(tmp_path / "d.npz", objects=np.array([object()], dtype=object))
    assert "never loaded" in " ".join(inspect_file(tmp_path / "d.npz").notes)
    (tmp_path / "e").write_text(json.dumps({"weight_map": {"a": "x.safetensors"}}))
    assert inspect_file(tmp_path / "e").format == "index of sharded safetensors"
    torch.save(network.state_dict(), tmp_path / "f", _use_new_zipfile_serialization=False)
    assert inspect_file(tmp_path / "f").parameters == sum(value.numel() for value in network.state_dict().values())
    torch.export.save(torch.export.export(network, (torch.zeros(2, 6, 1, 1),)), tmp_path / "g.pt2")
    assert inspect_file(tmp_path / "g.pt2").latent == (6, 1, 1)
    (tmp_path / "h").write_bytes(b"\x00\x01nothing known")
    assert inspect_file(tmp_path / "h").format.startswith("unknown")


def test_files_of_samples_are_told_from_weights(gandiag_command, tmp_path):
    images = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)
    torch.save(images, tmp_path / "a.pt")
    torch.save({"images": images, "labels": torch.arange(4)}, tmp_path / "b.pt")
    torch.save(list(images), tmp_path / "c.pt")
    safetensors.torch.save_file({"samples": images, "y": torch.arange(4)}, tmp_path / "d.safetensors")
    for name in ("a.pt", "b.pt", "c.pt", "d.safetensors"):
        found = inspect_file(tmp_path / name)
        assert "samples" in found.format
        words = shlex.split(found.command.replace("REF", str(tmp_path / "a.pt")))[1:]
        assert gandiag_command(*words, "--metric", "kid", "--extractor", "pixels").code == 0
    np.savez(tmp_path / "e.npz", feats=np.zeros((8, 16)))
    assert inspect_file(tmp_path / "e.npz").command.startswith("gandiag score SOURCE --against")


def test_a_pickled_network_names_what_it_would_run_and_runs_nothing(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "whole.pt")
    found = inspect_file(tmp_path / "whole.pt")
    assert "torch.nn.modules.linear.Linear" in found.runs
    assert "--unsafe-pickle" in found.command
    (tmp_path / "p.pkl").write_bytes(b"cos\nsystem\n(S'exit 3'\ntR.")
    assert inspect_file(tmp_path / "whole.pt").taken is None
    (tmp_path / "p.pkl").write_bytes(pickle.dumps({"G_ema": 1}, protocol=4))
    assert inspect_file(tmp_path / "p.pkl").runs == ()


@pytest.mark.parametrize("name", ["a\x1b[31m.pt", "a\nb.pt", "<script>.pt", "=cmd.pt"])
def test_hostile_names_are_shown_safely(name, gandiag_command, tmp_path):
    torch.save({"\x1b]0;title\x07\nkey": torch.ones(2), "\u202ex": torch.ones(2)}, tmp_path / name)
    finished = gandiag_command("inspect", tmp_path / name)
    assert finished.code == 0
    assert "\x1b" not in finished.out
    assert "\u202e" not in finished.out
    assert "title" in finished.out
    assert all(line.isprintable() for line in finished.out.splitlines())
    json.loads(gandiag_command("inspect", tmp_path / name, "--json", "-").out)


@pytest.mark.parametrize("kind", ["missing", "empty", "cut", "flipped"])
def test_what_cannot_be_told_is_refused_in_one_line(kind, refused, trainer, tmp_path):
    path = tmp_path / "other.pt"
    content = trainer.read_bytes()
    if kind != "missing":
        path.write_bytes({"empty": b"", "cut": content[:-100], "flipped": b"PK\x03\x04" + content[4:100]}[kind])
    assert "other.pt" in refused("inspect", path)


def test_inspection_loads_no_torch(trainer):
    code = (
        "import sys; from gandiag.sources.inspection.file import inspect_file; "
        f"inspect_file({str(trainer)!r}); assert not {{'torch', 'scipy', 'PIL', 'rich'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_result_and_a_damaged_one(gandiag_command, tmp_path):
    score = gandiag.measured(3.5, stderr=0.1, error_method="none", better="lower", n_real=9, n_fake=9)
    said = {"source": {"name": "mine"}, "reference": {"name": "mnist"}, "protocol": {}}
    gandiag.Result(created="2025-01-01T00:00:00+00:00", scores={"fid": score}, **said).save(tmp_path / "mine.json")
    found = inspect_file(tmp_path / "mine.json")
    assert found.values == {"source": "mine", "scores": {"fid": 3.5}}
    text = (tmp_path / "mine.json").read_text()
    (tmp_path / "bad.json").write_text(text.replace("3.5", "1e999"))
    finished = gandiag_command("inspect", tmp_path / "bad.json")
    assert (finished.code, "is too large" in finished.err) == (2, True)
