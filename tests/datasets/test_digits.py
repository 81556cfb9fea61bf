from __future__ import annotations

import struct
import urllib.request

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError, MissingDataError, UnknownNameError, UsageError
from gandiag.datasets import load_dataset

PUBLISHED = ["cifar10", "cifar100", "fashion-mnist", "kmnist"]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        pytest.fail(f"a download was tried: {args}")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(urllib.request, "urlretrieve", refuse)


def test_what_is_read_is_the_readers_own():
    before = load_dataset("mnist")
    before.read(0, 10).zero_()
    before.labels(0, 10).zero_()
    assert load_dataset("mnist").info.sha256 == before.info.sha256
    assert int(before.read(0, 10).max()) > 0


def test_the_embedded_digits_are_10_000_in_two_disjoint_parts():
    train, test = load_dataset("mnist"), load_dataset("mnist", split="test")
    assert (train.info.size, test.info.size) == (8000, 2000)
    classes = torch.cat([train.labels(0, 8000), test.labels(0, 2000)])
    assert torch.bincount(classes).tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    images = torch.cat([train.read(0, 8000), test.read(0, 2000)])
    assert images.shape == (10_000, 1, 28, 28)
    assert images.dtype == torch.uint8
    assert len(np.unique(images.flatten(1).numpy(), axis=0)) == 10_000
    assert train.info.sha256 != test.info.sha256


def test_the_modes_of_digits_have_the_frequencies_of_their_split():
    test = load_dataset("mnist", split="test")
    counts = np.bincount(test.labels(0, 2000).numpy(), minlength=10)
    np.testing.assert_allclose(test.modes.frequencies, counts / 2000)
    np.testing.assert_allclose(load_dataset("stacked-mnist", split="test").modes.frequencies, counts / 2000)


def test_sample_i_of_stacked_mnist_depends_on_seed_and_i_alone():
    one = load_dataset("stacked-mnist", seed=3)
    whole = one.read(0, 700)
    again = load_dataset("stacked-mnist", seed=3)
    assert torch.equal(again.read(250, 520), whole[250:520])
    assert torch.equal(again.read(699, 700), whole[699:])
    other = load_dataset("stacked-mnist", seed=4)
    assert not torch.equal(other.read(0, 700), whole)
    assert other.info.sha256 != one.info.sha256


def test_the_channels_of_a_stack_are_digits_with_their_labels():
    stacks, digits = load_dataset("stacked-mnist"), load_dataset("mnist")
    index = stacks.indices(0, 50)
    images, classes = digits.read(0, 8000), digits.labels(0, 8000)
    for sample in range(50):
        for channel in range(3):
            assert torch.equal(stacks.read(sample, sample + 1)[0, channel], images[index[sample, channel], 0])
    assert torch.equal(stacks.labels(0, 50), classes[index])
    assert len(stacks.indices(0, 10_000).unique()) > 7800  # 8,000 (1 - e^-3.75) = 7,812


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("root", ["none", "missing", "empty"])
def test_a_published_set_that_is_not_here_says_how_to_get_it(tmp_path, name, root):
    folder = {"none": None, "missing": tmp_path / "nowhere", "empty": tmp_path}[root]
    with pytest.raises(MissingDataError, match="--data-root") as caught:
        load_dataset(name, root=folder)
    assert "--download" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mnist", "stacked-mnist"])
def test_a_root_without_mnist_does_not_fall_back_to_the_embedded_digits(tmp_path, name):
    with pytest.raises(MissingDataError, match="--data-root"):
        load_dataset(name, root=tmp_path)


def write_idx(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def tiny_mnist(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for prefix, count in (("train", 12), ("t10k", 10)):
        images, classes = rng.integers(0, 256, (count, 28, 28)), np.arange(count) % 10
        write_idx(tmp_path / "MNIST/raw" / f"{prefix}-images-idx3-ubyte", images)
        write_idx(tmp_path / "MNIST/raw" / f"{prefix}-labels-idx1-ubyte", classes)
        arrays[prefix] = images, classes
    return tmp_path, arrays


@pytest.mark.parametrize(("split", "prefix", "count"), [("train", "train", 12), ("test", "t10k", 10)])
def test_mnist_under_a_root_is_read_from_its_own_files(tiny_mnist, split, prefix, count):
    root, arrays = tiny_mnist
    dataset = load_dataset("mnist", root=root, split=split)
    assert dataset.info.size == count
    np.testing.assert_array_equal(dataset.read(0, count)[:, 0], arrays[prefix][0])
    np.testing.assert_array_equal(dataset.labels(0, count), arrays[prefix][1])
    stacks = load_dataset("stacked-mnist", root=root, split=split)
    assert int(stacks.indices(0, 300).max()) == count - 1


@pytest.mark.parametrize("damage", [b"", b"\x00", b"not idx at all", b"\x00\x00\x08\x03\x00\x00\x00\x0c"])
def test_damaged_files_under_a_root_are_an_input_error(tiny_mnist, damage):
    root, _ = tiny_mnist
    (root / "MNIST/raw/train-images-idx3-ubyte").write_bytes(damage)
    with pytest.raises(InputError, match="mnist cannot be read"):
        load_dataset("mnist", root=root)


@pytest.mark.parametrize("name", ["mnist", "stacked-mnist", "ring8", "cifar10"])
def test_a_split_that_there_is_not_is_a_usage_error(name):
    with pytest.raises(UsageError, match="no split 'valid'; it has train"):
        load_dataset(name, split="valid")


def test_a_near_miss_is_offered():
    with pytest.raises(UnknownNameError, match="did you mean 'stacked-mnist'"):
        load_dataset("stackd-mnist")
