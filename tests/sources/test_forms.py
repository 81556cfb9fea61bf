from __future__ import annotations

import io
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from image_files import FORMS, add, adm, classes_of, folder, named, png_bytes, tar_of
from PIL import Image
from safetensors.torch import save_file

import gandiag
from gandiag.core.errors import InputError
from gandiag.datasets import load_dataset
from gandiag.evaluation.extract import labels_of
from gandiag.evaluation.resolve import Access, open_source
from gandiag.testing.sources import check_source

LABELLED = {"webdataset", "adm", "pt with labels", "hdf5", "parquet"}


@pytest.fixture(scope="module")
def digits():
    return load_dataset("mnist").read(0, 60)[:, 0].numpy()


@pytest.fixture(scope="module")
def wanted(digits):
    """The samples, in the order of all forms."""
    return open_source(torch.from_numpy(digits[:, None].copy()), Access()).read(0, 60)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_images_are_the_same_samples_in_every_form(tmp_path, digits, wanted, form):
    named_so = FORMS[form](tmp_path, digits)
    source = open_source(named_so, Access())
    check_source(lambda: open_source(named_so, Access()))
    assert source.info.shape == (1, 28, 28)
    assert torch.equal(source.read(0, 60), wanted)
    in_order = open_source(named_so, Access(by_name=True)).read(0, 60)
    assert torch.equal(in_order[:, 0], torch.from_numpy(digits))
    labels = labels_of(source, 0, 60)
    if form in LABELLED:
        order = [next(i for i, each in enumerate(digits) if np.array_equal(each, image[0])) for image in wanted.numpy()]
        assert labels is not None
        assert labels.tolist() == classes_of(digits)[order].tolist()
    else:
        assert labels is None


def test_every_form_has_the_same_score(tmp_path, digits):
    scores = set()
    np.save(tmp_path / "real.npy", load_dataset("mnist").read(100, 300).numpy())
    for form in ("folder", "stored zip", "tar.gz", "adm", "parquet", "gif"):
        (tmp_path / form).mkdir()
        path = FORMS[form](tmp_path / form, digits)
        result = gandiag.score(path, ["fid"], against=tmp_path / "real.npy", extractor="pixels", samples=50)
        scores.add(result.scores["fid"].value)
    assert len(scores) == 1


def test_any_form_is_a_reference(tmp_path, digits):
    path = FORMS["parquet"](tmp_path, digits)
    result = gandiag.score("mnist:test", ["fid"], against=path, extractor="pixels", samples=50)
    assert result.scores["fid"].n_real == 60


class Items(torch.utils.data.Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return Image.fromarray(self.images[index]), int(classes_of(self.images)[index])


class Stream(torch.utils.data.IterableDataset):
    def __init__(self, images):
        self.images = images

    def __iter__(self):
        for image in self.images:
            yield {"image": torch.from_numpy(image)[None].float() / 255}


class Counted(Stream):
    def __len__(self):
        return len(self.images)


def test_torch_datasets_and_iterators(digits, wanted):
    for dataset in (Items(digits), Stream(digits), Counted(digits), (image for image in digits), list(digits)):
        source = open_source(dataset, Access())
        assert torch.equal(source.read(0, 60), wanted)
    assert labels_of(open_source(Items(digits), Access()), 0, 3) is not None


def test_pillow_images_that_do_not_go_together_or_say_no_white_are_refused(digits):
    grey, wide = Image.fromarray(digits[0]), Image.fromarray(digits[0].astype(np.int32))
    with pytest.raises(InputError, match="images of 1 and of 3 channels; convert all to RGB"):
        open_source([grey, grey.convert("RGB")], Access())
    for image in (wide, grey.convert("F")):
        with pytest.raises(InputError, match=f"of mode {image.mode}, whose white is not known; convert them to L"):
            open_source([image, image], Access())


def test_an_endless_iterator_ends_at_the_limit(digits):
    from gandiag.sources.items import items_source

    def endless():
        while True:
            yield digits[0]

    with pytest.raises(InputError, match="more than"):
        items_source(endless(), limit=100_000)


@pytest.mark.parametrize("form", ["tar", "tar.gz", "adm", "npy"])
def test_standard_input(tmp_path, digits, wanted, form, monkeypatch):
    content = FORMS[form](tmp_path, digits).read_bytes()
    stdin = io.BufferedReader(io.BytesIO(content))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stdin))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    source = open_source("-", Access())
    assert torch.equal(source.read(0, 60), wanted)
    assert (source.info.name, source.info.path) == ("standard input", None)
    with pytest.raises(InputError, match="brings nothing"):
        open_source("-", Access())


def test_an_endless_stream_ends_at_the_limit(monkeypatch):
    from gandiag.sources.formats import SourceOptions
    from gandiag.sources.stdin import stdin_source

    begun = b"PK\x03\x04"  # as a zip archive begins; what begins as no form of samples ends at once
    endless = SimpleNamespace(isatty=lambda: False, read=lambda size: begun.ljust(size, b"x")[:size])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=endless))
    with pytest.raises(InputError, match="more than"):
        stdin_source(SourceOptions(), limit=3_000_000)


def test_what_is_lost_is_said(tmp_path, digits):
    rgb = np.stack([digits[0]] * 3, axis=-1)
    Image.fromarray(np.dstack([rgb, digits[1]])).save(tmp_path / "alpha.png")
    Image.fromarray(digits[2].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(rgb).convert("CMYK").save(tmp_path / "ink.tif")
    Image.fromarray(rgb).convert("P").save(tmp_path / "palette.PNG")
    source = open_source(tmp_path, Access())
    assert source.info.shape == (3, 28, 28)
    said = " ".join(source.info.warnings)
    assert all(
        f"1 of the 4 images of {tmp_path} {text}" in said for text in ("have an alpha", "have 16 bits", "are in other")
    )


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
def test_photographs_are_turned_upright_as_their_camera_says(tmp_path, name):
    pixels = np.zeros((8, 16), dtype=np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / name, exif=exif)
    source = open_source(tmp_path, Access())
    assert source.info.shape[1:] == (16, 8)
    assert int(source.read(0, 1)[0, 0, 0].min()) >= 250


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"compress_level": 0}, {"bits": 4}, {"interlace": 1}])
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "RGBA", "LA"])
def test_png_of_every_kind_is_what_pillow_reads(tmp_path, mode, options):
    values = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    image = Image.fromarray(values).convert("RGB").convert(mode)
    if mode != "P":
        options = {key: value for key, value in options.items() if key != "bits"}
    image.save(tmp_path / "a.png", **options)
    source = open_source(tmp_path, Access())
    with Image.open(tmp_path / "a.png") as opened:
        expected = np.array(opened.convert("L" if source.info.shape[0] == 1 else "RGB"))
    assert np.array_equal(source.read(0, 1)[0].permute(1, 2, 0).numpy().squeeze(), expected.squeeze())


def test_loss_is_noticed(tmp_path, digits):
    for name, options in (("a.jpg", {}), ("b.webp", {"lossless": True}), ("c.webp", {"quality": 50})):
        (tmp_path / name[0]).mkdir()
        Image.fromarray(np.stack([digits[0]] * 3, axis=-1)).save(tmp_path / name[0] / name, **options)
    found = [open_source(tmp_path / name, Access()).info.lossy for name in "abc"]
    assert found == ["JPEG", None, "WebP"]


def test_a_video_is_its_frames(tmp_path, digits):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 28, 28, "bgr0"
        for image in digits[:12]:
            frame = av.VideoFrame.from_ndarray(np.stack([image] * 3, axis=-1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    source = open_source(tmp_path / "a.mkv", Access(by_name=True))
    assert torch.equal(source.read(0, 12)[:, 0], torch.from_numpy(digits[:12]))
    assert source.info.lossy is None
    assert any("neighbours" in warning for warning in source.info.warnings)


def test_junk_is_left_out(tmp_path, digits):
    path = folder(tmp_path, digits[:3])
    (path / "Thumbs.db").write_bytes(b"x")
    (path / ".hidden.png").write_bytes(b"x")
    (path / "__MACOSX").mkdir()
    (path / "__MACOSX" / "._000000.png").write_bytes(b"x")
    (path / ".cache").mkdir()
    (path / ".cache" / "a.png").write_bytes(b"x")
    assert open_source(path, Access()).info.size == 3


def test_links_to_files_are_followed_and_loops_are_not(tmp_path, digits):
    path = folder(tmp_path, digits[:3])
    (path / "again.png").symlink_to(path / "000000.png")
    (path / "loop").symlink_to(path)
    source = open_source(path, Access())
    assert source.info.size == 4
    assert any("links to folders" in warning for warning in source.info.warnings)
    (path / "broken.png").symlink_to(path / "none.png")
    with pytest.raises(InputError, match="link to nothing"):
        open_source(path, Access())


def test_folders_are_classes_and_shards_are_none(tmp_path, digits):
    for name, index in (("cat", 0), ("cat", 1), ("dog", 2)):
        (tmp_path / "classes" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "classes" / name / f"{index}.png").write_bytes(png_bytes(digits[index]))
        (tmp_path / "shards" / f"{index:05d}").mkdir(parents=True)
        (tmp_path / "shards" / f"{index:05d}" / "a.png").write_bytes(png_bytes(digits[index]))
    source = open_source(tmp_path / "classes", Access(by_name=True))
    assert labels_of(source, 0, 3).tolist() == [0, 0, 1]
    assert labels_of(open_source(tmp_path / "shards", Access()), 0, 1) is None


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "npy", "adm"])
def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path, digits, form):
    path = FORMS[form](tmp_path, digits)
    source = open_source(path, Access())
    for file in [path] if path.is_file() else path.iterdir():
        content = bytearray(file.read_bytes())
        content[len(content) // 2 :] = bytes(len(content) - len(content) // 2 + 8)
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"chang|not what it was|checksum"):
        source.read(0, 60)


def test_a_file_that_is_cut_while_it_is_read_is_an_error_and_no_crash(tmp_path, digits):
    for form in ("npy", "safetensors", "adm", "tar"):
        path = FORMS[form](tmp_path, digits)
        source = open_source(path, Access())
        with path.open("r+b") as file:
            file.truncate(600)
        with pytest.raises(InputError):
            source.read(0, 60)


def test_the_order_is_that_of_the_names(tmp_path, digits):
    one, two = tar_of(tmp_path, digits[:20]), tmp_path / "other.tar"
    import tarfile

    with tarfile.open(two, "w") as archive:
        for name, content in reversed(list(named(digits[:20]))):
            add(archive, name, content)
    assert torch.equal(open_source(one, Access()).read(0, 20), open_source(two, Access()).read(0, 20))
    assert open_source(one, Access()).info.sha256 == open_source(two, Access()).info.sha256


def test_the_classes_of_stylegans_tools(tmp_path, digits):
    path = folder(tmp_path, digits[:3])
    (path / "dataset.json").write_text('{"labels": [["000000.png", 4], ["000002.png", 1], ["000001.png", 0]]}')
    assert labels_of(open_source(path, Access(by_name=True)), 0, 3).tolist() == [4, 0, 1]
    (path / "dataset.json").write_text('{"labels": [["000000.png", 4]]}')
    with pytest.raises(InputError, match="no class"):
        open_source(path, Access())


def test_rows_in_a_file_are_not_loaded(tmp_path, digits):
    source = open_source(adm(tmp_path, digits), Access())
    assert not any(isinstance(value, np.ndarray | torch.Tensor) for value in vars(source.table).values())


@pytest.mark.parametrize("form", ["npz", "h5", "safetensors", "pt"])
def test_numbers_that_are_no_samples_and_labels_that_are_no_classes_are_refused(tmp_path, form):
    images, labels = np.zeros((3, 1, 4, 4), dtype=np.uint8), np.arange(3)

    def refused(held):
        path = tmp_path / f"a.{form}"
        if form == "npz":
            np.savez(path, **held)
        elif form == "h5":
            h5py = pytest.importorskip("h5py")
            with h5py.File(path, "w") as file:
                for name, value in held.items():
                    file[name] = value
        elif form == "safetensors":
            save_file({name: torch.as_tensor(value) for name, value in held.items()}, path)
        else:
            torch.save({name: torch.as_tensor(value) for name, value in held.items()}, path)
        with pytest.raises(InputError, match="shape"):
            open_source(path, Access())

    refused({"images": np.float32(3), "labels": labels})
    refused({"images": np.float32(3), "labels": np.int64(3)})
    if form in ("safetensors", "pt"):  # those of the others are not classes, and left alone
        refused({"images": images, "labels": np.int64(3)})
        refused({"images": images, "labels": np.float32([0.1, 0.9, 2])})


def test_a_file_named_version_makes_no_program_of_a_zip_of_images(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"set/{number}.png", png_bytes(np.full((4, 4), number, dtype=np.uint8)))
        archive.writestr("set/version", "1.0")
    assert open_source(tmp_path / "a.zip", Access()).info.size == 3
