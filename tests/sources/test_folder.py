from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from gandiag.core.errors import InputError
from gandiag.sources.readers.folder import folder_source


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (12, 5, 4, 3), dtype=np.uint8)


def write(folder, images, order=None, mode=None):
    folder.mkdir(parents=True, exist_ok=True)
    for index in order if order is not None else range(len(images)):
        picture = Image.fromarray(images[index])
        (picture.convert(mode) if mode else picture).save(folder / f"{index:03d}.png")
    return folder


def test_the_order_does_not_depend_on_how_the_files_were_made(tmp_path, pictures):
    one = folder_source(write(tmp_path / "a", pictures))
    two = folder_source(write(tmp_path / "b", pictures, order=[7, 3, 11, 0, 1, 2, 4, 5, 6, 10, 9, 8]))
    assert torch.equal(one.read(0, 12), two.read(0, 12))
    assert one.info.sha256 == two.info.sha256
    assert torch.equal(one.read(3, 8), one.read(0, 12)[3:8])


def test_colours_and_greys_are_the_pixels_of_the_files(tmp_path, pictures):
    colour = folder_source(write(tmp_path / "rgb", pictures))
    assert colour.info.shape == (3, 5, 4)
    found = {tuple(image.flatten().tolist()) for image in colour.read(0, 12)}
    assert found == {tuple(image.transpose(2, 0, 1).ravel().tolist()) for image in pictures}
    grey = folder_source(write(tmp_path / "grey", pictures[..., 0]))
    assert grey.info.shape == (1, 5, 4)
    assert {tuple(image.flatten().tolist()) for image in grey.read(0, 12)} == {
        tuple(image.ravel().tolist()) for image in pictures[..., 0]
    }


def test_sub_folders_and_other_files(tmp_path, pictures):
    write(tmp_path / "deep/er", pictures[:3])
    write(tmp_path, pictures[3:5])
    (tmp_path / "notes.txt").write_text("not an image")
    assert folder_source(tmp_path).info.size == 5


def test_changed_content_changes_the_hash(tmp_path, pictures):
    before = folder_source(write(tmp_path, pictures)).info.sha256
    assert folder_source(write(tmp_path, pictures[::-1].copy())).info.sha256 != before


def test_two_sizes_are_an_input_error(tmp_path, pictures):
    write(tmp_path, pictures)
    Image.new("RGB", (9, 9)).save(tmp_path / "odd.png")
    with pytest.raises(InputError, match="resize"):
        folder_source(tmp_path).read(0, 13)


@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_a_damaged_file_is_an_input_error_that_names_it(tmp_path, pictures, damage):
    write(tmp_path, pictures[:1])
    content = (tmp_path / "000.png").read_bytes()
    bad = {"cut": content[: len(content) // 2], "noise": b"noise" * 50, "empty": b""}[damage]
    (tmp_path / "bad.png").write_bytes(bad)
    with pytest.raises(InputError, match=r"bad\.png"):
        folder_source(tmp_path).read(0, 2)


def test_a_colour_image_is_never_turned_grey_for_its_neighbours(tmp_path, pictures):
    """Whichever comes first, a mix is refused or read as colours."""
    for first in range(12):
        folder = tmp_path / str(first)
        write(folder, pictures[:1, ..., 0])
        Image.fromarray(pictures[1]).save(folder / f"{first}x.png")
        try:
            shape = folder_source(folder).read(0, 2).shape[1]
        except InputError:
            continue
        assert shape == 3


def test_sixteen_bit_greys_keep_their_tones(tmp_path):
    tones = np.array([[0, 0x4000], [0x8000, 0xFFFF]], dtype=np.uint16)
    Image.fromarray(tones).save(tmp_path / "a.png")
    found = folder_source(tmp_path).read(0, 1)[0, 0].numpy().astype(int)
    assert abs(found - np.array([[0, 64], [128, 255]])).max() <= 1


@pytest.mark.parametrize("content", [[], ["readme.md"]])
def test_a_folder_without_images_is_an_input_error(tmp_path, content):
    for name in content:
        (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match="holds no images"):
        folder_source(tmp_path)
