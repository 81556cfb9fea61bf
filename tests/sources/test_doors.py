"""The same weights through every door give the same score."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import safetensors.torch
import torch
from foreign_networks import Dcgan, Discriminator, seeded

from gandiag import score
from gandiag.core.errors import UsageError
from gandiag.core.generator_options import GeneratorOptions
from gandiag.core.protocols import ImageSpec, Latent
from gandiag.sources.find_weights import load_weights

NAMED = GeneratorOptions(network="foreign_networks:Dcgan")


@pytest.fixture(scope="module")
def network():
    return seeded(Dcgan)


@pytest.fixture(scope="module")
def reference():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (400, 1, 8, 8), dtype=np.uint8))


def fid(source, reference, **more):
    return score(source, ["fid"], against=reference, extractor="pixels", samples=300, **more)


@pytest.fixture(scope="module")
def truth(network, reference):
    latent = Latent(6, shape=(6, 1, 1))
    return fid(network, reference, latent=latent, image=ImageSpec((1, 8, 8)))["fid"].value


def other(network):
    changed = copy.deepcopy(network)
    with torch.no_grad():
        for value in changed.parameters():
            value.mul_(0.5)
    return changed


def state_dict(network, folder):
    torch.save(network.state_dict(), folder / "netG_epoch_24.pth")
    return folder / "netG_epoch_24.pth"


def old_format(network, folder):
    torch.save(network.state_dict(), folder / "old.pth", _use_new_zipfile_serialization=False)
    return folder / "old.pth"


def trainer(network, folder):
    trained = other(network)
    optimiser = torch.optim.Adam(trained.parameters())
    trained(torch.randn(2, 6, 1, 1)).sum().backward()
    optimiser.step()  # moments of the weights' shapes, which are no weights
    document = {
        "epoch": 3,
        "G": trained.state_dict(),
        "D": Discriminator().state_dict(),
        "G_ema": network.state_dict(),
        "optim_G": optimiser.state_dict(),
    }
    torch.save(document, folder / "trainer.pt")
    return folder / "trainer.pt"


def parallel(network, folder):
    state = {f"module._orig_mod.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state, "args": {"lr": 1e-4}}, folder / "parallel.pt")
    return folder / "parallel.pt"


def lightning(network, folder):
    state = {f"discriminator.{name}": value for name, value in Discriminator().state_dict().items()}
    state |= {f"generator.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state, "hyper_parameters": {"latent_dim": 6}, "global_step": 9}, folder / "l.ckpt")
    return folder / "l.ckpt"


def averaged_model(network, folder):
    average = torch.optim.swa_utils.AveragedModel(network)
    torch.save({"netG": other(network).state_dict(), "netG_ema": average.state_dict()}, folder / "swa.pt")
    return folder / "swa.pt"


def shadow(network, folder):
    changed = other(network)
    parameters = [value.detach().clone() for value in network.parameters()]
    document = {"model": changed.state_dict(), "ema": {"decay": 0.999, "shadow_params": parameters}}
    torch.save(document, folder / "shadow.pt")
    return folder / "shadow.pt"


def parameters_only(network, folder):
    kept = {f"ema_model.{name}": value.detach() for name, value in network.named_parameters()}
    torch.save({"state_dict": other(network).state_dict(), "averages": kept}, folder / "ema.pt")
    return folder / "ema.pt"


def beside(names):
    def save(network, folder):
        plain, averaged = names
        torch.save({plain: other(network).state_dict(), averaged: network.state_dict()}, folder / "both.pt")
        return folder / "both.pt"

    save.__name__ = "_and_".join(names)
    return save


def dotless(network, folder):
    kept = {f"model_ema.{name.replace('.', '')}": value for name, value in network.state_dict().items()}
    kept |= {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(7)}  # as LitEma has them
    torch.save(
        {"state_dict": {**kept, **{f"model.{k}": v for k, v in other(network).state_dict().items()}}}, folder / "c"
    )
    return folder / "c"


def one_file(network, folder):
    safetensors.torch.save_file(network.state_dict(), folder / "model.safetensors")
    return folder / "model.safetensors"


def shards(network, folder):
    names = list(network.state_dict())
    parts = {"a-1-of-2.safetensors": names[:2], "a-2-of-2.safetensors": names[2:]}
    for file, held in parts.items():
        safetensors.torch.save_file({name: network.state_dict()[name] for name in held}, folder / file)
    index = {"metadata": {}, "weight_map": {name: file for file, held in parts.items() for name in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder / "model.safetensors.index.json"


WEIGHTS = [state_dict, old_format, trainer, parallel, lightning, averaged_model, shadow, parameters_only, dotless]
WEIGHTS += [one_file, shards, beside(("GAN.G", "GAN.GE")), beside(("generator", "g_running"))]


@pytest.mark.parametrize("save", WEIGHTS, ids=lambda save: save.__name__)
def test_the_weights_are_found_and_score_the_same(save, network, reference, truth, tmp_path):
    result = fid(save(network, tmp_path), reference, generator=NAMED)
    assert result["fid"].value == pytest.approx(truth, rel=1e-9)
    assert result.source["generator"]["latent"]["shape"] == [6, 1, 1]


def scripted(network, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(network).save(str(folder / "g.ts"))
    return folder / "g.ts"


def traced(network, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, torch.zeros(2, 6, 1, 1)).save(str(folder / "g.jit"))
    return folder / "g.jit"


def exported(network, folder, count=None):
    shapes = ({0: torch.export.Dim("n")},) if count is None else None
    program = torch.export.export(network, (torch.zeros(count or 2, 6, 1, 1),), dynamic_shapes=shapes)
    torch.export.save(program, folder / "g.pt2")
    return folder / "g.pt2"


def exported_for_seven(network, folder):
    return exported(network, folder, 7)


@pytest.mark.parametrize("save", [scripted, traced, exported, exported_for_seven], ids=lambda save: save.__name__)
def test_a_program_scores_the_same(save, network, reference, truth, tmp_path):
    result = fid(save(network, tmp_path), reference)
    assert result["fid"].value == pytest.approx(truth, rel=1e-9)
    assert result.source["shape"] == [1, 8, 8]


@pytest.mark.parametrize("count", [None, 7])
def test_onnx_scores_the_same_to_the_rounding_of_its_own_arithmetic(count, network, reference, truth, tmp_path):
    pytest.importorskip("onnxruntime")
    path = to_onnx(network, (torch.zeros(count or 2, 6, 1, 1),), tmp_path / "g.onnx", fixed=count is not None)
    result = fid(path, reference)
    assert result["fid"].value == pytest.approx(truth, rel=1e-4)
    assert not any("--latent" in warning for warning in result.warnings)


def test_nothing_is_kept_or_reported_of_an_onnx_file(network, reference, tmp_path):
    path = to_onnx(network, (torch.zeros(2, 6, 1, 1),), tmp_path / "g.onnx")
    torch.save(reference, tmp_path / "real.pt")
    (tmp_path / "home").mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "ORT_"))}
    asked = [
        "score",
        str(path),
        "--against",
        str(tmp_path / "real.pt"),
        "--metric",
        "fid",
        "--extractor",
        "pixels",
        "-n",
        "50",
    ]
    command = [sys.executable, "-m", "gandiag", *asked, "--no-cache", "--json", "-"]
    subprocess.run(command, env={**environment, "HOME": str(tmp_path / "home")}, check=True, capture_output=True)
    assert [file for file in (tmp_path / "home").rglob("*") if file.is_file()] == []


def to_onnx(network, arguments, path, *, fixed=False, names=("z", "label")):
    pytest.importorskip("onnxscript")
    free = None if fixed else tuple({0: torch.export.Dim("n")} for _ in arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            arguments,
            input_names=list(names[: len(arguments)]),
            dynamo=True,
            dynamic_shapes=free,
            verbose=False,
        )
    program.save(str(path))
    return path


def test_the_choice_of_weights_is_said_and_can_be_overruled(network, reference, truth, tmp_path):
    path = trainer(network, tmp_path)
    taken = fid(path, reference, generator=NAMED)
    assert any("'G_ema'" in warning and "'G'" in warning and "--weights-key" in warning for warning in taken.warnings)
    assert taken.source["weights"] == "G_ema"
    plain = fid(path, reference, generator=GeneratorOptions(network="foreign_networks:Dcgan", weights_key="G"))
    assert plain.source["weights"] == "G"
    assert plain["fid"].value != pytest.approx(truth, rel=1e-3)


def test_the_key_chooses_among_averaged_weights_too(network, tmp_path):
    whole = network.state_dict()
    parameters = dict(network.named_parameters())
    shadow = [value.detach() + 1 for value in parameters.values() if value.requires_grad]
    bare = {name: value.detach() + 2 for name, value in parameters.items()}  # without what batch norm has counted
    saved = {"G": whole, "G_ema": bare, "ema": {"shadow_params": shadow}}
    name = next(iter(parameters))
    for key, path, more in (("G", "G", 0), ("G_ema", "G_ema", 2), ("ema", "ema.shadow_params", 1)):
        empty = type(network)()
        assert load_weights(empty, saved, "saved", key).path == path
        assert torch.equal(empty.state_dict()[name], whole[name] + more)
    with pytest.raises(UsageError, match=r"it has 'G', 'G_ema', 'ema\.shadow_params'"):
        load_weights(type(network)(), saved, "saved", "nowhere")


def test_a_flat_output_takes_its_shape_from_the_option(tmp_path, reference):
    from foreign_networks import Flat

    network = seeded(Flat)
    torch.save(network.state_dict(), tmp_path / "flat.pt")
    options = GeneratorOptions(network="foreign_networks:Flat", image_shape=(1, 8, 8))
    result = fid(tmp_path / "flat.pt", reference, generator=options)
    assert result.source["shape"] == [1, 8, 8]
    assert result.source["generator"]["image_range"] == [0.0, 1.0]
