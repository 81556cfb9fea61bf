"""What is bounded in files of samples, a little within each bound and a little beyond."""

from __future__ import annotations

import gzip
import json
import struct
import tarfile
import time

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from gandiag import InputError
from gandiag.core.abandoned import abandoned
from gandiag.core.errors import HostileFileError
from gandiag.evaluation.resolve import Access, open_source
from gandiag.sources import GENERATORS, crawl, generator
from gandiag.sources.readers import animation
from gandiag.statistics import safetensors_file
from gandiag.statistics.safetensors_file import load_safetensors


@pytest.mark.parametrize("name", ["a.tif", "a.gif", "a.png", "a.webp"])
def test_frames(tmp_path, monkeypatch, name):
    images = [Image.fromarray(np.full((8, 8), 20 * place, np.uint8)) for place in range(6)]
    options = {"lossless": True} if name == "a.webp" else {}
    images[0].save(tmp_path / name, save_all=True, append_images=images[1:], **options)
    monkeypatch.setattr(animation, "MOST_FRAMES", 6)
    assert open_source(tmp_path / name, Access()).info.size == 6
    monkeypatch.setattr(animation, "MOST_FRAMES", 5)
    with pytest.raises(InputError, match="more than 5 frames or pages; write them to a folder"):
        open_source(tmp_path / name, Access())


@pytest.mark.parametrize("junk", [b"\0", b"!\xfe\x02xx\0"])
def test_a_gif_is_not_searched_for_frames_where_it_has_none(tmp_path, monkeypatch, junk):
    monkeypatch.setattr(crawl, "FEW", 1_000)
    images = [Image.fromarray(np.full((8, 8), 20 * place, np.uint8)) for place in range(6)]
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "a.gif"
    images[0].save(file, save_all=True, append_images=images[1:])
    whole = file.read_bytes()
    assert open_source(file, Access()).info.size == 6
    file.write_bytes(whole[:-1] + junk * 50_000)
    with pytest.raises(InputError, match=r"a\.gif' is refused: it is cut into parts of a few bytes each"):
        open_source(file, Access())
    images[0].save(file)
    file.write_bytes(file.read_bytes()[:-1] + junk * 50_000)  # one image, maybe with a second frame
    with pytest.raises(InputError, match="cut into parts of a few bytes each"):
        open_source(tmp_path / "folder", Access()).read(0, 1)


@pytest.mark.parametrize("name", ["a.tif", "a.gif", "a.png", "a.webp", "a.jpg", "a.bmp"])
def test_one_image_is_no_set(tmp_path, name):
    Image.new("L", (8, 8)).save(tmp_path / name)
    with pytest.raises(InputError, match="is one image"):
        open_source(tmp_path / name, Access())


@pytest.mark.parametrize("empty", [10, 400_000])
def test_empty_streams_in_a_compressed_tar(tmp_path, empty):
    save = tmp_path / "a.png"
    Image.new("L", (8, 8)).save(save)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for place in range(3):
            archive.add(save, f"{place}.png")
    packed = gzip.compress((tmp_path / "a.tar").read_bytes())
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(b"") * empty + packed)
    if empty == 10:
        assert open_source(tmp_path / "a.tar.gz", Access()).info.size == 3
        return
    with pytest.raises(InputError, match="goes on without holding anything"):
        open_source(tmp_path / "a.tar.gz", Access())


def test_tensors_of_a_safetensors_file(tmp_path, monkeypatch):
    save_file({f"t{place}": torch.ones(1) for place in range(4)}, tmp_path / "a.safetensors")
    monkeypatch.setattr(safetensors_file, "MOST_TENSORS", 4)
    assert len(load_safetensors(tmp_path / "a.safetensors")) == 4
    monkeypatch.setattr(safetensors_file, "MOST_TENSORS", 3)
    with pytest.raises(InputError, match="it holds 4 tensors, and networks have 3 at most"):
        load_safetensors(tmp_path / "a.safetensors")


@pytest.mark.parametrize("more", [b"x", bytes(4096)])
def test_what_lies_behind_the_tensors_is_damage(tmp_path, more):
    header = json.dumps({"images": {"dtype": "U8", "shape": [4, 1, 8, 8], "data_offsets": [0, 256]}}).encode()
    content = struct.pack("<Q", len(header)) + header + np.random.default_rng(0).bytes(256)
    (tmp_path / "a.safetensors").write_bytes(content)
    assert open_source(tmp_path / "a.safetensors", Access()).info.size == 4
    (tmp_path / "a.safetensors").write_bytes(content + more)
    with pytest.raises(InputError, match="its tensors do not fill it"):
        open_source(tmp_path / "a.safetensors", Access())


def test_the_name_of_a_video_is_no_protocol(tmp_path, monkeypatch):
    av = pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    for name, count in (("a.mp4", 9), ("concat:a.mp4", 4)):
        with av.open(str(tmp_path / name), "w", format="mp4") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
            for place in range(count):
                pixels = np.full((16, 16), 20 * place, np.uint8)
                container.mux(
                    stream.encode(av.VideoFrame.from_ndarray(pixels, format="gray").reformat(format="yuv420p"))
                )
            container.mux(stream.encode())
    assert open_source("concat:a.mp4", Access()).info.size == 4


@pytest.mark.parametrize(
    ("name", "limit", "says"), [("BUILDING", -1.0, "computes for over"), ("MEMORY", -(2**40), "takes more than")]
)
def test_building_a_network_has_a_limit_that_can_be_lifted(monkeypatch, save_picture_generator, name, limit, says):
    path = save_picture_generator()
    load = GENERATORS.load
    monkeypatch.setattr(GENERATORS, "load", lambda name: lambda **config: (time.sleep(0.1), load(name)(**config))[1])
    assert open_source(path, Access()).info.shape == (1, 28, 28)
    monkeypatch.setattr(generator, name, limit)
    with pytest.raises(HostileFileError, match=f"building the network of .* {says} .*GANDIAG_UNBOUNDED=1 lets it"):
        open_source(path, Access())
    monkeypatch.setenv("GANDIAG_UNBOUNDED", "1")
    assert open_source(path, Access()).info.shape == (1, 28, 28)
    while abandoned():  # the thread that was left behind ends
        time.sleep(0.01)
