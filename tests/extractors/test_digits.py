from __future__ import annotations

from importlib.resources import files

import pytest
import safetensors.torch
import torch

from gandiag.core.errors import InputError
from gandiag.core.protocols import ExtractorOptions
from gandiag.datasets import load_dataset
from gandiag.extractors import EXTRACTORS

WEIGHTS = files("gandiag.extractors").joinpath("weights/digits.safetensors")


@pytest.fixture(scope="module")
def digits():
    return EXTRACTORS.load("digits")(ExtractorOptions())


@pytest.fixture(scope="module")
def stacks():
    return load_dataset("stacked-mnist").read(0, 40)


def test_a_stack_gives_the_features_and_logits_of_its_channels(digits, stacks):
    found = digits(stacks)
    assert found.features.shape == (40, 64 * 3)
    assert found.logits.shape == (40, 3, 10)
    for channel in range(3):
        alone = digits(stacks[:, channel : channel + 1])
        torch.testing.assert_close(
            found.features[:, 64 * channel : 64 * (channel + 1)], alone.features, rtol=1e-5, atol=1e-5
        )
        torch.testing.assert_close(found.logits[:, channel : channel + 1], alone.logits, rtol=1e-5, atol=1e-5)


def test_the_batch_size_does_not_matter(digits, stacks):
    whole = digits(stacks)
    parts = [digits(part) for part in stacks.split(7)]
    scale = float(whole.features.abs().max())
    assert float((torch.cat([part.features for part in parts]) - whole.features).abs().max()) < 1e-5 * scale


def test_it_knows_the_test_digits(digits):
    test = load_dataset("mnist", split="test")
    predicted = torch.cat([digits(test.read(i, i + 500)).logits[:, 0].argmax(dim=1) for i in range(0, 2000, 500)])
    assert float((predicted == test.labels(0, 2000)).double().mean()) >= 0.994


def test_its_file_is_small():
    assert len(WEIGHTS.read_bytes()) < 300_000


@pytest.mark.parametrize("shape", [(2, 1, 32, 32), (2, 28, 28), (2, 2)])
def test_another_size_is_an_input_error(digits, shape):
    with pytest.raises(InputError, match="28 x 28"):
        digits(torch.zeros(shape, dtype=torch.uint8))


def test_floats_on_the_same_scale_are_taken(digits, stacks):
    assert torch.equal(digits(stacks[:2].float()).features, digits(stacks[:2]).features)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "noise", "folder", "other keys", "other shapes"])
def test_a_weights_file_that_does_not_fit_is_an_input_error(tmp_path, damage):
    path, content = tmp_path / "w.safetensors", WEIGHTS.read_bytes()
    state = safetensors.torch.load(content)
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(content[:-10])
        case "noise":
            path.write_bytes(bytes(range(256)) * 10)
        case "folder":
            path.mkdir()
        case "other keys":
            safetensors.torch.save_file({"a": torch.ones(2)}, path)
        case "other shapes":
            safetensors.torch.save_file({name: value.flatten()[:1].clone() for name, value in state.items()}, path)
    with pytest.raises(InputError, match=r"w\.safetensors"):
        EXTRACTORS.load("digits")(ExtractorOptions(weights=path))


def test_pixels_are_the_values_themselves():
    pixels = EXTRACTORS.load("pixels")(ExtractorOptions())
    images = torch.arange(24, dtype=torch.uint8).reshape(2, 3, 2, 2) * 10
    torch.testing.assert_close(pixels(images).features, images.reshape(2, 12).float() / 255)
    points = torch.tensor([[-3.0, 1e4]])
    assert torch.equal(pixels(points).features, points)
    assert pixels(points).logits is None
    with pytest.raises(InputError, match="12,582,912 values"):
        pixels(torch.zeros(1, 3, 2048, 2048, dtype=torch.uint8))
