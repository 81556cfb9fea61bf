from __future__ import annotations

from dataclasses import replace

import pytest
import safetensors.torch
import torch

from gandiag.core.errors import InputError, MissingDataError, UsageError
from gandiag.core.files import file_sha256
from gandiag.core.protocols import ExtractorOptions
from gandiag.extractors import EXTRACTORS, open_extractor
from gandiag.testing import check_extractor


def relative(found, expected):
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.fixture(scope="module")
def inception(inception_file):
    return open_extractor("inception", ExtractorOptions(weights=inception_file))


def test_it_follows_the_rules_of_extractors(inception_file, pictures):
    load = EXTRACTORS.load("inception")
    check_extractor(lambda options: load(replace(options, weights=options.weights or inception_file)), pictures[:4])


def test_what_it_is(inception, inception_file, pictures):
    found = inception(pictures[:2])
    assert found.features.shape == (2, 2048)
    assert found.logits.shape == (2, 1, 1008)
    assert found.spatial.shape == (2, 2023)
    assert inception.info.preprocessing == "tf1"
    assert inception.info.sha256 == file_sha256(inception_file)
    assert EXTRACTORS.resolve("inception-v3-compat") == "inception"


def test_grey_and_float_images_are_taken(inception, pictures):
    grey = pictures[:2, :1]
    assert torch.equal(inception(grey).features, inception(grey.repeat(1, 3, 1, 1)).features)
    assert torch.equal(inception(pictures[:2].float()).features, inception(pictures[:2]).features)
    assert not torch.equal(inception(pictures[:2].float() + 0.4).features, inception(pictures[:2]).features)


def test_the_preprocessing_is_a_choice(inception, inception_file, pictures):
    other = open_extractor("inception", ExtractorOptions(weights=inception_file, preprocessing="antialias"))
    assert other.info.preprocessing == "antialias"
    assert relative(other(pictures[:2]).features, inception(pictures[:2]).features) > 1e-3
    with pytest.raises(UsageError, match="pytorch-fid"):
        open_extractor("inception", ExtractorOptions(weights=inception_file, preprocessing="pytorch_fid"))


def test_bfloat16_is_near(inception, inception_file, pictures):
    lower = open_extractor("inception", ExtractorOptions(weights=inception_file, precision="bf16"))
    found, expected = lower(pictures[:1]), inception(pictures[:1])
    assert found.features.dtype == found.logits.dtype == found.spatial.dtype == torch.float32
    assert 1e-5 < relative(found.features, expected.features) < 0.05


def test_points_are_an_input_error(inception):
    with pytest.raises(InputError, match="inception takes grey or colour images"):
        inception(torch.zeros(3, 2))


def test_without_weights_it_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("GANDIAG_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingDataError, match=r"gandiag weights fetch inception.*--weights FILE"):
        open_extractor("inception", ExtractorOptions())


def test_weights_in_the_folder_must_be_the_published_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("GANDIAG_WEIGHTS", str(tmp_path))
    (tmp_path / "weights-inception-2015-12-05-6726825d.pth").write_bytes(b"cut")
    with pytest.raises(InputError, match="not those that were published"):
        open_extractor("inception", ExtractorOptions())


def test_safetensors_are_taken_too(inception, inception_file, tmp_path, pictures):
    path = tmp_path / "inception.safetensors"
    safetensors.torch.save_file(torch.load(inception_file, weights_only=True), path)
    found = open_extractor("inception", ExtractorOptions(weights=path))
    assert torch.equal(found(pictures[:1]).features, inception(pictures[:1]).features)
    assert found.info.sha256 != inception.info.sha256


class Stranger:
    def __reduce__(self):
        return print, ("this ran",)


@pytest.mark.parametrize("damage", ["missing", "empty", "noise", "folder", "code", "list", "other keys", "more keys"])
def test_a_weights_file_that_does_not_fit_is_an_input_error(inception_file, tmp_path, damage, capsys):
    path = tmp_path / "w.pth"
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "noise":
            path.write_bytes(bytes(range(256)) * 10)
        case "folder":
            path.mkdir()
        case "code":
            torch.save({"fc.weight": Stranger()}, path)
        case "list":
            torch.save([torch.ones(2)], path)
        case "other keys":
            torch.save({"a": torch.ones(2)}, path)
        case "more keys":
            torch.save({**torch.load(inception_file, weights_only=True), "AuxLogits.fc.bias": torch.ones(2)}, path)
    with pytest.raises(InputError, match=r"w\.pth"):
        open_extractor("inception", ExtractorOptions(weights=path))
    assert capsys.readouterr().out == ""


def test_a_tensor_of_another_shape_is_named(inception_file, tmp_path):
    state = torch.load(inception_file, weights_only=True)
    torch.save({**state, "Mixed_7c.branch_pool.bn.bias": torch.ones(3)}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"Mixed_7c.branch_pool.bn.bias.*\(3,\), expected \(192,\)"):
        open_extractor("inception", ExtractorOptions(weights=tmp_path / "w.pth"))


@pytest.mark.parity
def test_it_equals_torch_fidelity(inception, inception_file, pictures):
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    theirs = module.FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(inception_file)
    )
    seen = []
    theirs.Mixed_6d.branch1x1.register_forward_hook(lambda layer, given, found: seen.append(found))
    features, logits = theirs(pictures)
    ours = inception(pictures)
    assert relative(ours.features, features) < 1e-5
    assert relative(ours.logits[:, 0], logits) < 1e-5
    # The first seven channels of mixed_6/conv, position before channel as TensorFlow lays them out.
    assert relative(ours.spatial, seen[0][:, :7].permute(0, 2, 3, 1).flatten(1)) < 1e-5


@pytest.mark.slow
def test_compiled_it_gives_the_same(inception, inception_file, pictures):
    fast = open_extractor("inception", ExtractorOptions(weights=inception_file, compile=True))
    found, expected = fast(pictures), inception(pictures)
    assert relative(found.features, expected.features) < 1e-5
    assert relative(found.spatial, expected.spatial) < 1e-5
