from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

import gandiag
from gandiag import Conditioning, ImageSpec, InputError, Latent, UsageError
from gandiag.datasets import load_dataset
from gandiag.evaluation.extract import labels_of
from gandiag.evaluation.resolve import Access, open_source

COUNT = 70


@pytest.mark.parametrize("name", ["folder", "a.zip", "a.npz"])
def test_what_is_written_is_what_is_scored(tmp_path, save_picture_generator, name):
    path = save_picture_generator()
    assert gandiag.sample(path, tmp_path / name, samples=COUNT, seed=5) == COUNT
    expected = open_source(path, Access(seed=5)).read(0, COUNT)
    found = open_source(tmp_path / name, Access())
    assert found.info.size == COUNT
    assert torch.equal(found.read(0, COUNT), expected)
    np.save(tmp_path / "real.npy", load_dataset("mnist").read(0, 200).numpy())
    options = {
        "metrics": ["fid", "kid"],
        "against": tmp_path / "real.npy",
        "extractor": "pixels",
    }
    one, other = (gandiag.score(each, samples=COUNT, seed=5, **options) for each in (path, tmp_path / name))
    for score, value in one.scores.items():
        assert value.value == other.scores[score].value


def test_a_folder_holds_png_by_number_and_what_they_are(tmp_path, save_picture_generator):
    path = save_picture_generator()
    gandiag.sample(path, tmp_path / "out", samples=3)
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == ["000000.png", "000001.png", "000002.png", "dataset.json"]
    said = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert said["gandiag"]["seed"] == 0
    assert said["gandiag"]["sha256"] == open_source(path, Access()).info.sha256
    second = open_source(path, Access()).read(1, 2)[0, 0].numpy()
    assert np.array_equal(np.array(Image.open(tmp_path / "out" / "000001.png")), second)


def test_a_folder_that_is_there_and_empty_is_filled(tmp_path, save_picture_generator, monkeypatch):
    path = save_picture_generator()
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    assert gandiag.sample(path, ".", samples=3) == 3
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_an_npz_is_as_adm_writes_it(tmp_path, save_picture_generator):
    gandiag.sample(save_picture_generator(), tmp_path / "a.npz", samples=4)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert arrays["arr_0"].shape == (4, 28, 28, 1)
        assert arrays["arr_0"].dtype == np.uint8
        assert "arr_1" not in arrays.files


@pytest.mark.parametrize("name", ["folder", "a.zip", "a.npz"])
def test_classes_are_written_with_the_images(tmp_path, name):
    def generator(noise, labels):
        return (noise[:, :, None, None] * 0 + labels[:, None, None, None] / 5 - 1).expand(-1, 3, 4, 4) + noise[0, 0] * 0

    options = {"latent": Latent(1), "image": ImageSpec((3, 4, 4)), "conditioning": Conditioning(10)}
    gandiag.sample(generator, tmp_path / name, samples=50, **options)
    found = open_source(tmp_path / name, Access())
    expected = open_source(generator, Access(), **options)
    assert labels_of(found, 0, 50).tolist() == labels_of(expected, 0, 50).tolist()


def test_a_part_of_what_was_written_is_shuffled_as_any_other(tmp_path, save_picture_generator):
    gandiag.sample(save_picture_generator(), tmp_path / "out", samples=20)
    whole = open_source(tmp_path / "out", Access()).read(0, 19)
    (tmp_path / "out" / "000019.png").unlink()
    part = open_source(tmp_path / "out", Access()).read(0, 19)
    assert not torch.equal(whole, part)
    assert sorted(map(bytes, whole.numpy())) == sorted(map(bytes, part.numpy()))


def test_points_go_into_an_npz(tmp_path, save_ring):
    gandiag.sample(save_ring(), tmp_path / "a.npz", samples=8)
    assert torch.equal(
        open_source(tmp_path / "a.npz", Access()).read(0, 8), open_source(save_ring(), Access()).read(0, 8)
    )
    with pytest.raises(InputError, match=r"\.npz"):
        gandiag.sample(save_ring(), tmp_path / "out", samples=8)


def test_what_is_there_is_not_overwritten(tmp_path, save_picture_generator):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="name a new folder"):
        gandiag.sample(save_picture_generator(), tmp_path / "full", samples=2)
    with pytest.raises(UsageError, match="not to"):
        gandiag.sample(save_picture_generator(), tmp_path / "a.tar", samples=2)
    gandiag.sample(save_picture_generator(), tmp_path / "empty", samples=2)
    assert len(list((tmp_path / "empty").glob("*.png"))) == 2


@pytest.mark.parametrize("name", ["folder", "a.zip", "a.npz"])
def test_ctrl_c_leaves_nothing(tmp_path, save_picture_generator, name):
    path = save_picture_generator()

    def stop(progress):
        if progress.done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gandiag.sample(path, tmp_path / name, samples=60, batch_size=16, progress=stop)
    assert [file for file in tmp_path.iterdir() if file != path] == []


def test_the_command(tmp_path, save_ring, capsys):
    from gandiag.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(["sample", str(save_ring()), "--out", str(tmp_path / "a.npz"), "-n", "8"])
    assert not ended.value.code
    captured = capsys.readouterr()
    assert captured.out.strip() == str(tmp_path / "a.npz")
    assert "wrote 8 samples" in captured.err
