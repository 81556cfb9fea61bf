from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.sources.arrays import tensor_source
from gandiag.sources.formats import SourceOptions, find_file, open_file


def array_file_source(path):
    return open_file(find_file(str(path)), SourceOptions())


def rows(values):
    """The samples regardless of their order."""
    return sorted(map(tuple, np.asarray(values).reshape(len(values), -1).tolist()))


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (20, 3, 6, 5), dtype=np.uint8))


def test_bytes_are_taken_as_they_are_in_a_fixed_fair_order(images):
    found = tensor_source(images)
    assert found.info.shape == (3, 6, 5)
    assert rows(found.read(0, 20)) == rows(images)
    assert not torch.equal(found.read(0, 20), images)
    assert torch.equal(tensor_source(images).read(5, 9), found.read(5, 9))


def test_a_prefix_of_sorted_samples_is_fair():
    values = tensor_source(torch.arange(1000.0)[:, None]).read(0, 200)
    assert abs(float(values.mean()) - 499.5) < 4 * 289 / 200**0.5


def test_floats_from_0_to_1_are_the_bytes_that_they_mean(images):
    assert rows(tensor_source(images / 255).read(0, 20)) == rows(images)


def test_channels_last_is_told_by_the_shape(images):
    assert rows(tensor_source(images.permute(0, 2, 3, 1)).read(0, 20)) == rows(images)


def test_points_are_float32():
    found = tensor_source(torch.arange(6.0, dtype=torch.float64).reshape(3, 2) * 1000)
    assert (found.info.quantisation, found.read(0, 3).dtype) == ("none", torch.float32)


@pytest.mark.parametrize(
    "values",
    [
        torch.zeros(3),
        torch.zeros(0, 2),
        torch.zeros(2, 3, 4),
        torch.tensor([[float("nan")]]),
        torch.full((2, 1, 2, 2), 1.5),
        torch.full((2, 1, 2, 2), -0.5),
        torch.ones(2, 1, 2, 2, dtype=torch.int64),
    ],
)
def test_what_is_no_set_of_samples_is_an_input_error(values):
    with pytest.raises(InputError, match="mine"):
        tensor_source(values, "mine")


def test_files_hold_what_the_tensor_holds(tmp_path, images):
    np.save(tmp_path / "a.npy", images.numpy())
    np.savez(tmp_path / "one.npz", samples=images.numpy())
    np.savez_compressed(tmp_path / "adm.npz", arr_0=images.permute(0, 2, 3, 1).numpy(), arr_1=np.arange(20))
    hashes = {}
    for name in ("a.npy", "one.npz", "adm.npz"):
        found = array_file_source(tmp_path / name)
        assert torch.equal(found.read(0, 20), tensor_source(images).read(0, 20))
        hashes[name] = found.info.sha256
    # Of the samples, not of the files: where classes come with them, these too.
    assert hashes["a.npy"] == hashes["one.npz"] == tensor_source(images).info.sha256 != hashes["adm.npz"]


def test_points_in_a_file(tmp_path):
    np.save(tmp_path / "p.npy", np.ones((4, 2)))
    assert array_file_source(tmp_path / "p.npy").info.shape == (2,)


class Bomb:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return (Path.touch, (Path(self.canary),))


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_objects_are_refused_and_their_code_never_runs(tmp_path, name):
    array = np.array([Bomb(tmp_path / "canary")], dtype=object)
    (np.save if name.endswith("npy") else np.savez)(tmp_path / name, array)
    with pytest.raises(InputError, match="cannot read"):
        array_file_source(tmp_path / name)
    assert not (tmp_path / "canary").exists()


def damage_of(content, kind):
    if kind == "flipped":
        middle = len(content) // 2
        return content[:middle] + bytes(255 - byte for byte in content[middle : middle + 40]) + content[middle + 40 :]
    return {"empty": b"", "cut": content[: len(content) // 2], "noise": bytes(range(256)), "text": b"hello"}[kind]


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("kind", ["empty", "cut", "noise", "text"])
def test_damaged_files_are_an_input_error(tmp_path, images, name, kind):
    (np.save if name.endswith("npy") else np.savez_compressed)(tmp_path / name, images.numpy())
    (tmp_path / name).write_bytes(damage_of((tmp_path / name).read_bytes(), kind))
    with pytest.raises(InputError, match="is empty" if kind == "empty" else "cannot read"):
        array_file_source(tmp_path / name)


def test_a_flipped_archive_is_an_input_error(tmp_path, images):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images.numpy())
    path.write_bytes(damage_of(path.read_bytes(), "flipped"))
    with pytest.raises(InputError, match="cannot read"):
        array_file_source(path)


@pytest.mark.parametrize(
    "arrays",
    [{"a": np.ones((2, 2)), "b": np.ones((2, 2))}, {}, {"a": np.array(["x"])}, {"a": np.ones((2, 2), complex)}],
)
def test_archives_without_one_array_of_numbers_are_an_input_error(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match="expected"):
        array_file_source(tmp_path / "a.npz")


def test_a_missing_file_is_none(tmp_path):
    assert find_file(str(tmp_path / "a.npy")) is None
