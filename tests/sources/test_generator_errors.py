"""Files and options that cannot be used: one line each, and no code of a stranger's runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from foreign_networks import CGan, Dcgan, seeded
from torch import nn

from gandiag.core.errors import GandiagError, InputError, UsageError
from gandiag.core.generator_options import GeneratorOptions, read_config
from gandiag.evaluation.resolve import Access, open_source
from gandiag.sources.inspection.file import inspect_file
from gandiag.statistics.torchscript import load_torchscript


def refused(path, kind=GandiagError, **said):
    said.setdefault("network", "foreign_networks:Dcgan")
    with pytest.raises(kind) as caught:
        open_source(str(path), Access(generator=GeneratorOptions(**said)))
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    return message


class Bomb:
    def __init__(self, canary):
        self.canary = str(canary)

    def __reduce__(self):
        return os.mkdir, (self.canary,)


def pickled(path, value):
    path.write_bytes(pickle.dumps(value))


BOMBS = {
    "in a checkpoint": lambda path, bomb: torch.save({"G": seeded(Dcgan).state_dict(), "args": bomb}, path),
    "in the old format": lambda path, bomb: torch.save(
        {"G": seeded(Dcgan).state_dict(), "args": bomb}, path, _use_new_zipfile_serialization=False
    ),
    "as the whole": lambda path, bomb: torch.save(bomb, path),
    "as a pickle": pickled,
    "in a pickled dict": lambda path, bomb: pickled(path, {"G_ema": bomb}),
    "as a key": lambda path, bomb: torch.save({"G": seeded(Dcgan).state_dict(), "epoch": [bomb]}, path),
}


@pytest.mark.parametrize("where", BOMBS)
def test_code_in_a_pickle_never_runs(where, tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "bomb.pt"
    BOMBS[where](path, Bomb(canary))
    assert "refused" in refused(path, InputError)
    found = inspect_file(path)
    assert any(name.endswith("mkdir") for name in found.runs)
    assert not canary.exists()
    if path.read_bytes()[:2] == b"PK" or where == "in the old format":
        torch.load(path, weights_only=False)
    else:
        pickle.loads(path.read_bytes())  # noqa: TID251
    assert canary.exists()  # the bomb was live


def test_a_pickled_network_needs_the_users_word_and_says_so(tmp_path, capsys):
    torch.save(seeded(Dcgan), tmp_path / "whole.pt")
    message = refused(tmp_path / "whole.pt", InputError, network=None)
    assert "state_dict()" in message
    assert "--unsafe-pickle" in message
    source = open_source(str(tmp_path / "whole.pt"), Access(generator=GeneratorOptions(unsafe_pickle=True)))
    assert any("--unsafe-pickle" in warning for warning in source.info.warnings)
    assert "--unsafe-pickle" in capsys.readouterr().err
    assert source.info.shape == (1, 8, 8)


class StyleLike(nn.Module):
    """Called as NVIDIA's networks are."""

    def __init__(self, c_dim=0):
        super().__init__()
        self.z_dim, self.c_dim, self.img_resolution, self.img_channels = 4, c_dim, 8, 3
        self.body = nn.Linear(4 + c_dim, 192)

    def forward(self, z, c, truncation_psi=1, noise_mode="random"):
        return 1.3 * self.body(torch.cat([z, c], dim=1) * truncation_psi).tanh().view(-1, 3, 8, 8)


@pytest.mark.parametrize("classes", [0, 3])
def test_a_stylegan_pickle(classes, tmp_path, capsys):
    network, path = seeded(StyleLike, c_dim=classes), tmp_path / "network-snapshot.pkl"
    pickled(path, {"G": None, "D": nn.Linear(1, 1), "G_ema": network, "training_set_kwargs": {}})
    refused(path, InputError, network=None)
    source = open_source(str(path), Access(generator=GeneratorOptions(unsafe_pickle=True, truncation=0.7)))
    assert source.info.weights == "G_ema"
    assert source.info.details["truncation_psi"] == 0.7
    noise = source.noise(0, 5)
    labels = torch.zeros(5, 0) if not classes else torch.nn.functional.one_hot(source.labels(0, 5), 3).float()
    with torch.no_grad():
        expected = ((network(noise, labels, truncation_psi=0.7) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    assert torch.equal(source.read(0, 5), expected)
    assert "warning" in capsys.readouterr().err


def scripted(module, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module).save(str(path))


class Writes(nn.Module):
    def forward(self, noise):
        torch.save(noise, "canary")
        return noise


@pytest.mark.parametrize(
    "call",
    [b"torch.save(", b"torch . save (", b"ops.aten.save(", b'getattr(torch, "save")(', b'getattr(torch, "s\\141ve")('],
)
def test_torchscript_that_writes_files_is_refused_in_every_spelling(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scripted(Writes(), "plain.pt")
    with zipfile.ZipFile("plain.pt") as old, zipfile.ZipFile("g.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"torch.save(", call) if name.endswith(".py") else old.read(name))
    assert "never loaded" in refused(tmp_path / "g.pt", InputError, network=None)
    with pytest.raises(InputError):
        load_torchscript(Path("g.pt"))
    assert not Path("canary").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load("g.pt")(torch.zeros(1))
    assert Path("canary").exists()  # the operation was live


def test_an_exported_program_that_writes_files_is_refused(tmp_path):
    program = torch.export.export(nn.Linear(2, 2), (torch.zeros(2, 2),))
    torch.export.save(program, tmp_path / "plain.pt2")
    with zipfile.ZipFile(tmp_path / "plain.pt2") as old, zipfile.ZipFile(tmp_path / "g.pt2", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"aten.linear.default", b"aten.save.default"))
    assert "aten.save" in refused(tmp_path / "g.pt2", InputError, network=None)


def index(path, content):
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("name", ["../w.safetensors", "/etc/passwd", "..", "a/b.safetensors", "a\\b", 3])
def test_shards_stay_in_their_folder(name, tmp_path):
    safetensors.torch.save_file({"a": torch.ones(1)}, tmp_path / "w.safetensors")
    (tmp_path / "deep").mkdir()
    path = index(tmp_path / "deep" / "m.safetensors.index.json", {"weight_map": {"a": name}})
    assert "beside it" in refused(path, InputError)


def test_a_shard_that_is_a_link_elsewhere_is_refused(tmp_path):
    safetensors.torch.save_file({"a": torch.ones(1)}, tmp_path / "w.safetensors")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "w.safetensors").symlink_to(tmp_path / "w.safetensors")
    path = index(tmp_path / "deep" / "m.safetensors.index.json", {"weight_map": {"a": "w.safetensors"}})
    assert "link" in refused(path, InputError)


def weights(path, **changes):
    state = seeded(Dcgan).state_dict()
    torch.save({**state, **changes}, path)
    return path


def test_weights_that_do_not_fit_are_explained(tmp_path):
    path = weights(tmp_path / "g.pt")
    message = refused(path, InputError, config={"ngf": 8})
    assert "main.0.weight" in message
    assert "(6, 8, 4, 4)" in message
    assert "(6, 16, 4, 4)" in message
    assert "does not hold" not in message
    surplus = weights(tmp_path / "s.pt", **{"main.9.weight": torch.ones(2)})
    assert "the network has no 'main.9.weight'" in refused(surplus, InputError)
    state = seeded(Dcgan).state_dict()
    del state["main.3.weight"]
    torch.save(state, tmp_path / "m.pt")
    assert "the file lacks 'main.3.weight'" in refused(tmp_path / "m.pt", InputError)
    torch.save({"other.0.weight": torch.ones(2, 2), "other.0.bias": torch.ones(2)}, tmp_path / "o.pt")
    assert "'other.0.weight'" in refused(tmp_path / "o.pt", InputError)


def test_no_network_is_named(tmp_path):
    message = refused(weights(tmp_path / "g.pt"), UsageError, network=None)
    assert "--generator" in message
    assert "gandiag inspect" in message


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("nope", "unknown generator"),
        ("foreign_networks:Dcgam", "did you mean 'Dcgan'"),
        ("no_such_module:Net", "No module named"),
        ("foreign_networks:seeded", "see --generator-config"),
        ("foreign_networks:torch", "expected a class or function"),
        ("foreign_networks:Fails", "SystemExit: usage: train.py"),
        ("builtins:dict", "expected a torch.nn.Module"),
        ("torch.nn:ReLU", "without weights"),
        (":x", "expected a name or package.module:factory"),
        ("net.py:x", "expected a name or package.module:factory"),
        ("", "--generator is empty"),
    ],
)
def test_networks_that_cannot_be_built(network, expected, tmp_path):
    path = weights(tmp_path / "g.pt")
    with pytest.raises(UsageError, match="generator") as caught:
        open_source(str(path), Access(generator=GeneratorOptions(network=network)))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"config": {"nope": 1}}, "--generator-config"),
        ({"weights_key": "G_emo"}, "holds no weights of the network"),
        ({"latent": (7,)}, "takes none of the inputs"),
        ({"labels": "uniform"}, "takes no labels"),
        ({"noise": "cauchy"}, "normal, uniform, sphere, or a file"),
        ({"noise": "sphere", "truncation": 0.5}, "--truncation is for normal latents"),
        ({"image_range": (0.0, 1.0)}, "outside the declared range"),
        ({"image_range": (0.0, 255.0)}, "declared range"),
        ({"image_shape": (3, 8, 8)}, "expected"),
    ],
)
def test_options_that_do_not_fit(said, expected, tmp_path):
    assert expected in refused(weights(tmp_path / "g.pt"), **said)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"labels": "9"}, "the generator has 3"),
        ({"labels": "nobody.npy"}, "uniform, prior, a class"),
        ({"labels": "half.txt"}, "not whole numbers"),
        ({"labels": "far.txt"}, "run from 0 to 7"),
        ({"labels": "square.npy"}, "expected one a sample"),
        ({"labels": "text.txt"}, "cannot read the labels"),
        ({"label_format": "one-hot"}, "takes none of the inputs"),
    ],
)
def test_labels_that_do_not_fit(said, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("half.txt").write_text("0.5\n1\n")
    Path("far.txt").write_text("0\n7\n")
    Path("text.txt").write_text("cat\n")
    np.save("square.npy", np.zeros((2, 2)))
    torch.save(seeded(CGan).state_dict(), "g.pt")
    assert expected in refused("g.pt", network="foreign_networks:CGan", **said)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"latent": (0,)}, "--latent"),
        ({"latent": (2**19, 4)}, "--latent"),
        ({"latent": ()}, "--latent"),
        ({"image_shape": (3, 4)}, "--image-shape"),
        ({"image_range": (1.0, 0.0)}, "--image-range"),
        ({"image_range": (float("nan"), 0.0)}, "--image-range"),
        ({"truncation": -1.0}, "--truncation"),
        ({"classes": 0}, "--classes"),
        ({"label_format": "letters"}, "--label-format"),
    ],
)
def test_options_that_say_nothing_sensible(said, expected):
    with pytest.raises(UsageError, match=expected):
        GeneratorOptions(**said)


@pytest.mark.parametrize("text", ["{", "[1]", "{1: 2}", "missing.json", "list.json", "bad.toml"])
def test_configs_that_cannot_be_read(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("list.json").write_text("[1, 2]")
    Path("bad.toml").write_text("a = = 1")
    with pytest.raises(UsageError, match="--generator-config") as caught:
        read_config(text)
    assert "\n" not in str(caught.value)


def test_configs_that_can_be_read(tmp_path):
    (tmp_path / "c.toml").write_text("nz = 4\n")
    (tmp_path / "c.json").write_text('{"nz": 4}')
    assert read_config('{"nz": 4}') == read_config(str(tmp_path / "c.toml")) == read_config(str(tmp_path / "c.json"))


def damaged(kind, path):
    whole = io.BytesIO()
    torch.save(seeded(Dcgan).state_dict(), whole)
    match kind:
        case "cut":
            path.write_bytes(whole.getvalue()[:-200])
        case "bomb":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("a/data.pkl", pickle.dumps({"a": 1}))
                archive.writestr("a/data/0", bytes(2**28))
        case "tar":
            with tarfile.open(path, "w") as archive:
                for name in ("storages", "tensors", "pickle"):
                    archive.addfile(tarfile.TarInfo(name))
        case "huge view":
            state = {f"main.{index}": torch.ones(1).expand(2**33) for index in range(2)}
            torch.save(state | {"main.0.weight": torch.ones(1).expand(6, 8, 4, 4)}, path)
        case "not finite":
            weights(path, **{"main.1.bias": torch.full((8,), float("nan"))})
        case "no tensors":
            torch.save({"epoch": 3}, path)
        case "number":
            torch.save(3, path)
        case "sparse":
            weights(path, **{"main.1.bias": torch.ones(8).to_sparse()})
        case "safetensors header":
            path.write_bytes((2**40).to_bytes(8, "little") + b"{" + bytes(100))
        case "onnx noise":
            path.write_bytes(b"\x08\x07\x12\x07pytorch" + bytes(range(200)))
        case "onnx elsewhere":
            location = b"\x0a\x08location\x12\x0b/etc/passwd"
            tensor = b"\x08\x01\x10\x01\x42\x01w\x6a" + bytes([len(location)]) + location
            graph = b"\x2a" + bytes([len(tensor)]) + tensor
            value = b"\x0a\x01z\x12\x10\x0a\x0e\x08\x01\x12\x0a\x0a\x03\x12\x01n\x0a\x03\x08\x80\x01"
            graph += b"\x5a" + bytes([len(value)]) + value
            path.write_bytes(b"\x08\x08\x12\x01p\x3a" + bytes([len(graph)]) + graph)


KINDS = ["cut", "bomb", "tar", "huge view", "not finite", "no tensors", "number", "sparse", "safetensors header"]


@pytest.mark.parametrize("kind", [*KINDS, "onnx noise", "onnx elsewhere"])
def test_damaged_files_are_refused_in_one_line(kind, tmp_path):
    path = tmp_path / "weights.bin"
    damaged(kind, path)
    assert str(path) in refused(path, InputError) or kind == "huge view"


@pytest.mark.parametrize("kind", [*KINDS, "onnx noise", "onnx elsewhere"])
def test_damaged_files_are_inspected_or_refused(kind, tmp_path):
    path = tmp_path / "weights.bin"
    damaged(kind, path)
    try:
        json.loads(inspect_file(path).to_json())
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - some can be told all the same


def changed_script(path, change):
    """A TorchScript file, `change(part, content)` of each of whose parts is written."""
    scripted(nn.Linear(4, 64), whole := path.with_suffix(".whole"))
    with zipfile.ZipFile(whole) as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():
            after.writestr(name, change(name.partition("/")[2], before.read(name)))
    return path


def test_a_torchscript_tensor_is_no_larger_than_its_data(tmp_path):
    # PyTorch's own reader believes the pickle, and the first use of the tensor reads what lies behind its data.
    load_torchscript(changed_script(tmp_path / "good.ts", lambda name, content: content))
    sizes = []

    def cut(name, content):
        if not name.startswith("data/"):
            return content
        sizes.append(len(content))
        return content[: len(content) - 4]

    with pytest.raises(InputError, match="larger than its data"):
        load_torchscript(changed_script(tmp_path / "cut.ts", cut))
    assert sorted(sizes) == [64 * 4, 64 * 4 * 4]

    def stretched(name, content):
        return content.replace(b"(K@K\x04t", b"(K@K\x05t") if name == "data.pkl" else content

    with pytest.raises(InputError, match="larger than its data"):
        load_torchscript(changed_script(tmp_path / "stretched.ts", stretched))
