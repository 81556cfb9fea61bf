"""Files that cannot be scored: each is one line that names it, and nothing of it runs or is written."""

from __future__ import annotations

import gzip
import io
import json
import stat
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
import torch
from image_files import add, png_bytes
from PIL import Image

from gandiag.core.errors import GandiagError
from gandiag.evaluation.resolve import Access, open_source

IMAGE = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
PNG = png_bytes(IMAGE)


def zip_with(path, entries, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in entries:
            archive.writestr(name, content)


def tar_with(path, change=None, name="a.png", mode="w"):
    with tarfile.open(path, mode) as archive:
        member = tarfile.TarInfo(name)
        member.size = len(PNG)
        if change is not None:
            change(member)
        archive.addfile(member, io.BytesIO(PNG))


def link(member):
    member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0


def device(member):
    member.type, member.size = tarfile.CHRTYPE, 0


def hard_link(member):
    member.type, member.linkname, member.size = tarfile.LNKTYPE, "b.png", 0


def zip_link(path):
    entry = zipfile.ZipInfo("a.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    zip_with(path, [(entry, "/etc/passwd")])


def encrypted(path):
    zip_with(path, [("a.png", PNG)])
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(mark) + offset] |= 1
    path.write_bytes(content)


def lying_zip(path):
    """The entry says that it unpacks to less than it does."""
    zip_with(path, [("a.png", bytes(10_000))], compression=zipfile.ZIP_DEFLATED)
    content = path.read_bytes().replace(struct.pack("<I", 10_000), struct.pack("<I", 100))
    path.write_bytes(content)


def twice(path):
    with pytest.warns(UserWarning, match="Duplicate"):
        zip_with(path, [("a.png", PNG), ("a.png", PNG)])


def bomb_npz(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("arr_0.npy", "w") as file:
        file.write(header((72, 1, 2**10, 2**10)))
        for _ in range(72):
            file.write(bytes(2**20))


def bomb_tar(path):
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        member = tarfile.TarInfo("a.png")
        member.size = 72 * 2**20
        archive.addfile(member, io.BytesIO(bytes(member.size)))


def header(shape, kind="|u1"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def absurd_png(width, height):
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return PNG[:8] + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + PNG[33:]


def safetensors_with(path, said, content=b""):
    text = json.dumps(said).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)


def tensor(kind, end):
    return {"images": {"dtype": kind, "shape": [4, 1, 8, 8], "data_offsets": [0, end]}}


def hdf5_with(path, write):
    import h5py

    with h5py.File(path, "w") as file:
        write(file)


def parquet_with(path, columns):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def external(path):
    import h5py

    hdf5_with(path.with_name("other.h5"), lambda file: file.create_dataset("images", data=np.ones((4, 1, 8, 8))))
    hdf5_with(path, lambda file: file.__setitem__("images", h5py.ExternalLink("other.h5", "images")))


def promised(path):
    hdf5_with(path, lambda file: file.create_dataset("images", (10**9, 3, 64, 64), dtype="u1", chunks=(1, 3, 64, 64)))


def changed(path, content):
    zip_with(path, [("a.png", content)])


def flipped(content):
    middle = len(content) - 20
    return content[:middle] + bytes([content[middle] ^ 0x10]) + content[middle + 1 :]


CASES = {
    "empty.zip": (lambda path: path.touch(), "is empty"),
    "hollow.zip": (lambda path: zip_with(path, []), "holds no images"),
    "text.zip": (lambda path: zip_with(path, [("a.txt", "x")]), "holds no images"),
    "nested.zip": (lambda path: zip_with(path, [("a.zip", b"PK\x03\x04")]), "not looked into"),
    "outside.zip": (lambda path: zip_with(path, [("../a.png", PNG)]), "leads out"),
    "absolute.zip": (lambda path: zip_with(path, [("/a.png", PNG)]), "leads out"),
    "windows.zip": (lambda path: zip_with(path, [("..\\a.png", PNG)]), "leads out"),
    "link.zip": (zip_link, "a link"),
    "encrypted.zip": (encrypted, "encrypted"),
    "lying.zip": (lying_zip, "damaged"),
    "lzma.zip": (lambda path: zip_with(path, [("a.png", PNG)], compression=zipfile.ZIP_LZMA), "deflate or store"),
    "twice.zip": (twice, "twice"),
    "cut.zip": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), "damaged archive"),
    "flipped.zip": (lambda path: changed(path, flipped(PNG)), "damaged"),
    "noise.zip": (lambda path: changed(path, b"noise"), "no image"),
    "absurd.zip": (lambda path: changed(path, absurd_png(2**16, 2**16)), "pixels"),
    "wide.zip": (lambda path: changed(path, absurd_png(2**31, 1)), "pixels"),
    "sizes.zip": (
        lambda path: zip_with(path, [("a.png", PNG), ("b.png", png_bytes(IMAGE[:4]))]),
        "several sizes: 1 of 8 x 8, 1 of 8 x 4",
    ),
    "labels.zip": (lambda path: zip_with(path, [("a.png", PNG), ("dataset.json", "[")]), "names and classes"),
    "outside.tar": (lambda path: tar_with(path, name="../a.png"), "leads out"),
    "absolute.tar": (lambda path: tar_with(path, name="/a.png"), "leads out"),
    "link.tar": (lambda path: tar_with(path, link), "a link"),
    "hard.tar": (lambda path: tar_with(path, hard_link), "a link"),
    "device.tar": (lambda path: tar_with(path, device), "no regular file"),
    "text.tar": (lambda path: path.write_text("hello"), "damaged"),
    "bomb.tar.gz": (bomb_tar, "over 200 times"),
    "weights.pt.gz": (lambda path: path.write_bytes(gzip.compress(b"PK" * 2000)), "begins with no tar archive"),
    "noise.tar.gz": (lambda path: path.write_bytes(b"\x1f\x8b" + bytes(range(200))), "damaged"),
    "bomb.npz": (bomb_npz, "as no images do"),
    "huge.npy": (lambda path: path.write_bytes(header((2**40, 3, 64, 64)) + bytes(100)), "copy it again"),
    "negative.npy": (lambda path: path.write_bytes(header((4, 1, 8, 8)).replace(b"(4,", b"(-4")), "cannot read"),
    "complex.npy": (lambda path: np.save(path, np.ones((4, 4), dtype=complex)), "expected numbers"),
    "words.npy": (lambda path: np.save(path, np.array(["a", "b"])), "expected numbers"),
    "signed.npy": (lambda path: np.save(path, np.linspace(-1, 1, 256).reshape(4, 1, 8, 8)), "from [-1, 1]"),
    "bytes.npy": (lambda path: np.save(path, np.arange(256.0).reshape(4, 1, 8, 8)), "round them"),
    "nan.npy": (lambda path: np.save(path, np.full((4, 1, 8, 8), np.nan)), "NaN"),
    "cube.npy": (lambda path: np.save(path, np.ones((4, 8, 8))), "expected images"),
    "header.safetensors": (
        lambda path: safetensors_with(path, tensor("U8", 9)),
        "does not fit",
    ),
    "cut.safetensors": (
        lambda path: safetensors_with(path, tensor("U8", 256)),
        "copy it again",
    ),
    "type.safetensors": (
        lambda path: safetensors_with(path, tensor("X", 256)),
        "expected numbers",
    ),
    "cut.h5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(80)), "damaged HDF5"),
    "hollow.h5": (lambda path: hdf5_with(path, lambda file: None), "holds nothing"),
    "external.h5": (external, "holds nothing"),
    "promised.h5": (promised, "as no images do"),
    "two.h5": (
        lambda path: hdf5_with(path, lambda file: [file.__setitem__(n, np.ones((4, 4))) for n in ("one", "two")]),
        "choose one as",
    ),
    "repeated.parquet": (
        lambda path: parquet_with(path, {"image": [bytes(10**6)] * 100}),
        "as no images do",
    ),
    "damaged.parquet": (lambda path: parquet_with(path, {"image": [b"x"]}), "of no format that Pillow knows"),
    "cut.parquet": (lambda path: path.write_bytes(b"PAR1" + bytes(40)), "damaged Parquet"),
    "numbers.parquet": (lambda path: parquet_with(path, {"x": [1, 2]}), "expected encoded images"),
    "lines.parquet": (lambda path: parquet_with(path, {"x": [{"a\nb": 1}]}), r"a\nb: int64>', expected encoded images"),
    "paths.parquet": (
        lambda path: parquet_with(
            path, {"image": [{"bytes": None, "path": "/etc/passwd"}, {"bytes": b"", "path": ""}]}
        ),
        "holds no image",
    ),
    "single.png": (lambda path: path.write_bytes(PNG), "is one image"),
    "cut.gif": (lambda path: path.write_bytes(b"GIF89a" + bytes(4)), "damaged"),
    "cut.mp4": (lambda path: path.write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(40)), "damaged video"),
    "sparse.pt": (lambda path: torch.save({"images": torch.eye(4).to_sparse()}, path), "sparse"),
    "whole.pt": (lambda path: torch.save(torch.full((4, 1, 8, 8), 300, dtype=torch.uint16), path), "from 300 to 300"),
    "bits.pt": (lambda path: torch.save(torch.empty(4, 1, 8, 8, dtype=torch.bits8), path), "plain numbers"),
    "mixed.pt": (lambda path: torch.save([torch.ones(1, 8, 8), torch.ones(1, 8, 7)], path), "weights and not"),
    "repeated.pt": (lambda path: torch.save([torch.ones(1, 8, 8)] * 9, path), "weights and not"),
    "words.txt": (lambda path: path.write_text("hello"), "no other kind"),
}


def read(path):
    source = open_source(path, Access())
    return source.read(0, source.info.size or 1)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_bad_file_is_one_line(tmp_path, name):
    write, expected = CASES[name]
    write(tmp_path / name)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(GandiagError) as raised:
        read(tmp_path / name)
    text = str(raised.value)
    assert expected in text
    assert name in text
    assert "\n" not in text
    assert raised.value.exit_code == 2
    assert sorted(tmp_path.iterdir()) == before


def test_a_pipe_or_device_is_not_read(tmp_path):
    import os

    os.mkfifo(tmp_path / "a.npy")
    with pytest.raises(GandiagError, match="neither a file nor a folder"):
        open_source(tmp_path / "a.npy", Access())
    (tmp_path / "f").mkdir()
    os.mkfifo(tmp_path / "f" / "a.png")
    Image.fromarray(IMAGE).save(tmp_path / "f" / "b.png")
    assert open_source(tmp_path / "f", Access()).info.size == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none-{000..002}.tar", "there is no file"),
        ("none-{005..002}.tar", "counts down"),
        ("none-{0..99999999}.tar", "names more than"),
        ("a\0b", "zero byte"),
        ("x" * 5000, "there is no file"),
    ],
)
def test_names_that_are_none(tmp_path, name, expected):
    with pytest.raises(GandiagError, match=expected):
        open_source(f"{tmp_path}/{name}", Access())


def test_a_key_where_there_is_no_choice(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 2)))
    np.savez(tmp_path / "a.npz", first=np.ones((4, 2)), second=np.ones((4, 2)))
    with pytest.raises(GandiagError, match="can be chosen"):
        open_source(f"{tmp_path}/a.npy:x", Access())
    with pytest.raises(GandiagError, match="did you mean 'first'"):
        open_source(f"{tmp_path}/a.npz:frist", Access())
    with pytest.raises(GandiagError, match="choose one as"):
        open_source(f"{tmp_path}/a.npz", Access())


def test_a_class_that_is_no_number(tmp_path):
    with tarfile.open(tmp_path / "shard-0.tar", "w") as archive:
        add(archive, "a.png", PNG)
        add(archive, "a.cls", b"many")
    with pytest.raises(GandiagError, match="no whole number"):
        open_source(f"{tmp_path}/shard-{{0..0}}.tar", Access())
