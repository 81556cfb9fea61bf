"""Writes hostile and broken inputs into a folder: `python tests/hostile/corpus.py FOLDER`. Nothing in it is kept.

Whatever holds code would make the file `canary` beside the folder, if that code ran.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import pickle
import random
import socket
import stat
import struct
import sys
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

Make = Callable[[Path], object]
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (16, 8, 8), dtype=np.uint8)


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        name: of its file or folder; names may be odd.
        make: writes it to a path.
        harmless: whether it may also be usable: a changed bit may be one that nothing reads.
    """

    name: str
    make: Make
    harmless: bool = False


def png(pixels: Any = IMAGES[0], **options: Any) -> bytes:
    """An image as the bytes of a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, **{"format": "PNG", **options})
    return buffer.getvalue()


# Good files of each kind, which are then broken.


def _zip(path: Path, entries: Sequence[tuple[Any, bytes]], method: int = zipfile.ZIP_STORED) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in entries:
            archive.writestr(name, content)


def _tar(path: Path, entries: Sequence[tuple[str, bytes]], mode: str = "w", **fields: Any) -> None:
    with tarfile.open(path, mode) as archive:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for field, value in fields.items():
                setattr(member, field, value)
            archive.addfile(member, io.BytesIO(content))


def _named(count: int = 16) -> list[tuple[str, bytes]]:
    return [(f"{index:03d}.png", png(IMAGES[index])) for index in range(count)]


def _animation(path: Path, **options: Any) -> None:
    first, *others = [Image.fromarray(image) for image in IMAGES]
    first.save(path, save_all=True, append_images=others, **options)


def _video(path: Path) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        for image in IMAGES:
            frame = av.VideoFrame.from_ndarray(np.kron(image, np.ones((2, 2), np.uint8)), format="gray")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())


class _Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 64)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        return self.linear(noise).tanh().view(-1, 1, 8, 8)


@functools.cache
def _net() -> _Net:
    torch.manual_seed(0)
    return _Net().eval()


def _checkpoint(path: Path, **config: Any) -> None:
    import gandiag
    from reference_models.networks.generators import mlp

    gandiag.save_checkpoint(
        path,
        mlp.build(latent_dim=4, shape=[2], hidden=[8]),
        builder="mlp",
        config={"latent_dim": 4, "shape": [2], "hidden": [8], **config},
        latent=gandiag.Latent(4),
        image=gandiag.ImageSpec((2,), None),
        dataset="ring8",
    )


def _onnx(path: Path, nodes: Any = None, dims: Any = ("n", 4), more: Sequence[Any] = ()) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = nodes or [
        helper.make_node("MatMul", ["z", "w"], ["flat"]),
        helper.make_node("Tanh", ["flat"], ["y"]),
        helper.make_node("Reshape", ["y", "shape"], ["x"]),
    ]
    stored = [
        numpy_helper.from_array(np.ones((4, 64), np.float32), "w"),
        numpy_helper.from_array(np.array([-1, 1, 8, 8], np.int64), "shape"),
        *more,
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, list(dims))],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)


def _pt2(path: Path) -> None:
    if not path.suffix == ".pt2":
        path = path.with_suffix(".pt2")
    torch.export.save(torch.export.export(_net(), (torch.randn(4, 4),)), path)


class _Labelled(torch.nn.Module):
    """A generator that takes labels."""

    def __init__(self) -> None:
        super().__init__()
        self.network = _net()

    def forward(self, latent: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return self.network(latent) * (1 + label.to(latent.dtype).reshape(-1, 1, 1, 1)) / 8


def _script(path: Path, module: torch.nn.Module | None = None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module or _net()), path)


def _hdf5(path: Path, **arrays: Any) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for name, array in (arrays or {"images": IMAGES[:, None]}).items():
            file[name] = array


def _parquet(path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = [{"bytes": content, "path": name} for name, content in _named()]
    pyarrow.parquet.write_table(pyarrow.table({"image": rows, "label": list(range(16))}), path)


def _safetensors(path: Path, **tensors: Any) -> None:
    from safetensors.torch import save_file

    save_file(tensors or {"images": torch.from_numpy(IMAGES[:, None])}, path)


def _statistics(path: Path) -> None:
    from gandiag.statistics.grouped_moments import grouped_moments
    from gandiag.statistics.reference_statistics import ReferenceStatistics
    from gandiag.statistics.statistics_file import CONVENTION, write_statistics

    moments = grouped_moments(torch.randn(40, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    write_statistics(
        path,
        ReferenceStatistics(
            name="good",
            convention=CONVENTION,
            moments=moments,
            samples=40,
            extractor="pixels",
            extractor_sha256="0" * 64,
            preprocessing="none",
            source_sha256="0" * 64,
            protocol={},
        ),
    )


SCORE = {
    "value": 1.0,
    "status": "ok",
    "reason": None,
    "stderr": 0.1,
    "ci95": [0.8, 1.2],
    "error_method": "influence",
    "better": "lower",
    "n_real": 100,
    "n_fake": 100,
    "extractor": "pixels",
    "params": {},
    "fingerprint": "0" * 16,
    "details": {},
}


def result(**changes: Any) -> dict[str, Any]:
    """A Result as its JSON; keyword arguments replace what its score says."""
    return {
        "schema": "gandiag.result/1",
        "created": "2024-01-01T00:00:00+00:00",
        "source": {"name": "a", "kind": "generator", "path": "a.pt", "sha256": "0" * 64, "weights": None},
        "reference": {"name": "r", "sha256": "1" * 64, "samples": 100},
        "protocol": {"samples": 100, "seed": 0, "precision": "fp32", "quantisation": "uint8", "extractors": {}},
        "scores": {"fid": {**SCORE, **changes}},
        "warnings": [],
        "environment": {},
        "timing": {},
    }


def run_lines(count: int = 30) -> list[dict[str, Any]]:
    """A run log, a value a line."""
    head = {"schema": "gandiag.run/1", "created": "2024-01-01T00:00:00+00:00", "players": {}}
    rows = [
        {"step": step * 50, "time": float(step), "signals": {"auc": 0.7, "discriminator_loss": 1.0}}
        for step in range(1, count)
    ]
    return [head, *rows]


def answers() -> dict[str, Any]:
    """A rater's answers with their key, as a study's page writes them."""
    trials = [{"id": f"t{n}", "shown": [["real" if n % 2 else "0", n // 2]]} for n in range(8)]
    key = {
        "schema": "gandiag.study/1",
        "study": "s",
        "question": "real-or-fake",
        "seed": 0,
        "sources": [{"name": "a"}],
        "reference": None,
        "trials": trials,
    }
    given = [{"trial": each["id"], "answer": "real", "milliseconds": 900} for each in trials]
    return {"schema": "gandiag.answers/1", "study": "s", "key": key, "rater": "me", "trials": given}


POLICY = '[[gate]]\nmetric = "fid"\nmax = 12.0\n'


def recipe() -> str:
    """The text of a recipe that trains in no time."""
    return (Path(__file__).parents[2] / "reference_models/recipes/vanilla.toml").read_text(encoding="utf-8")


def _text(path: Path, text: str | bytes) -> None:
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))


def _csv() -> str:
    return "step,d_loss,g_loss\n" + "".join(f"{step * 50},0.6,0.7\n" for step in range(1, 30))


GOOD: dict[str, Make] = {
    "a.png": lambda path: path.write_bytes(png()),
    "a.jpg": lambda path: path.write_bytes(png(format="JPEG")),
    "a.bmp": lambda path: path.write_bytes(png(format="BMP")),
    "a.webp": lambda path: _animation(path, lossless=True),
    "a.gif": _animation,
    "a.tif": _animation,
    "a.npy": lambda path: np.save(path, IMAGES[:, None]),
    "a.npz": lambda path: np.savez(path, arr_0=IMAGES[..., None]),
    "packed.npz": lambda path: np.savez_compressed(path, arr_0=IMAGES[..., None]),
    "a.pt": _checkpoint,
    "state.pth": lambda path: torch.save({"g_ema": _net().state_dict()}, path),
    "legacy.pth": lambda path: torch.save(_net().state_dict(), path, _use_new_zipfile_serialization=False),
    "tensor.pt": lambda path: torch.save(torch.from_numpy(IMAGES[:, None]), path),
    "a.safetensors": _safetensors,
    "weights.safetensors": lambda path: _safetensors(path, **_net().state_dict()),
    "a.onnx": _onnx,
    "a.pt2": _pt2,
    "a.ts": _script,
    "a.h5": _hdf5,
    "a.parquet": _parquet,
    "a.tar": lambda path: _tar(path, _named()),
    "a.tar.gz": lambda path: _tar(path, _named(), "w:gz"),
    "a.tar.xz": lambda path: _tar(path, _named(), "w:xz"),
    "a.zip": lambda path: _zip(path, _named()),
    "packed.zip": lambda path: _zip(path, _named(), zipfile.ZIP_DEFLATED),
    "a.mp4": _video,
    "statistics.safetensors": _statistics,
    "fid.npz": lambda path: np.savez(path, mu=np.zeros(64), sigma=np.eye(64)),
    "result.json": lambda path: _text(path, json.dumps(result())),
    "run.jsonl": lambda path: _text(path, "".join(json.dumps(line) + "\n" for line in run_lines())),
    "answers.json": lambda path: _text(path, json.dumps(answers())),
    "policy.toml": lambda path: _text(path, POLICY),
    "recipe.toml": lambda path: _text(path, recipe()),
    "losses.csv": lambda path: _text(path, _csv()),
}


def write_good(folder: Path) -> None:
    """A good file of each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in GOOD.items():
        make(folder / name)
    _script(folder / "labelled.ts", _Labelled())


def _cut(good: Path, part: float) -> Make:
    def make(path: Path) -> None:
        content = good.read_bytes()
        path.write_bytes(content[: max(1, int(len(content) * part) - (part == 1))])

    return make


def _flipped(good: Path, seed: int) -> Make:
    def make(path: Path) -> None:
        content = bytearray(good.read_bytes())
        rng = random.Random(f"{good.name} {seed}")
        for _ in range(3):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)

    return make


def broken(good: Path) -> Iterator[Case]:
    """Every good file cut short, with bits changed, and with other bytes in its middle."""
    for name in GOOD:
        stem, _, suffix = name.partition(".")
        for part in (0.1, 0.5, 1.0):
            yield Case(f"cut-{int(part * 100)}-{stem}.{suffix}", _cut(good / name, part), harmless=True)
        for seed in range(3):
            yield Case(f"flipped-{seed}-{stem}.{suffix}", _flipped(good / name, seed), harmless=True)


# Code.


class Runs:
    """Makes the canary when it is unpickled."""

    def __init__(self, canary: Path, how: str) -> None:
        self.canary, self.how = canary, how

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        make = f"open({str(self.canary)!r}, 'w')"
        match self.how:
            case "system":
                return os.system, (f"touch {self.canary}",)
            case "eval":
                return eval, (make,)
            case "exec":
                return exec, (make,)
            case "open":
                return open, (str(self.canary), "w")
            case _:
                return os.mkdir, (str(self.canary),)


def _legacy(path: Path, content: Any) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def _into_archive(path: Path, good: Path, changes: dict[str, bytes], add: bool = False) -> None:
    """A good archive with other content in the parts whose names end so."""
    with zipfile.ZipFile(good) as before, zipfile.ZipFile(path, "w") as after:
        root = before.namelist()[0].partition("/")[0]
        left = dict(changes)
        for info in before.infolist():
            end = next((each for each in left if info.filename.endswith(each)), None)
            after.writestr(info.filename, before.read(info) if end is None else left.pop(end))
        for name, content in left.items() if add else ():
            after.writestr(f"{root}/{name}", content)


def code(good: Path, canary: Path) -> Iterator[Case]:
    """Pickles with code wherever one could be loaded."""

    def bomb(how: str) -> Runs:
        return Runs(canary, how)

    for how in ("system", "eval", "exec", "open", "mkdir"):
        yield Case(f"code-{how}.pt", lambda path, how=how: torch.save({"generator": bomb(how)}, path))
    yield Case("code-legacy.pt", lambda path: _legacy(path, {"g_ema": bomb("system")}))
    yield Case("code-beside.pt", lambda path: torch.save({**_net().state_dict(), "args": bomb("eval")}, path))
    yield Case("code-key.pth", lambda path: _text(path, _keyed(bomb("eval"))))
    own = {"format": "gandiag.checkpoint/1", "builder": "mlp", "config": bomb("system"), "generator": {}}
    yield Case("code-own.pt", lambda path: torch.save(own, path))
    for name in ("bare.pkl", "bare.pt", "bare.safetensors", "bare.npz", "bare.npy", "bare.json", "bare.zip", "bare"):
        yield Case(f"code-{name}", lambda path: _text(path, pickle.dumps({"x": bomb("system")})))
    for protocol in range(6):
        yield Case(
            f"code-protocol-{protocol}.pkl",
            lambda path, protocol=protocol: _text(path, pickle.dumps([bomb("eval")], protocol)),
        )
    objects = np.array([bomb("system")], dtype=object)
    yield Case("code-objects.npy", lambda path: np.save(path, objects, allow_pickle=True))
    for key in ("arr_0", "mu", "feats"):
        more = {"sigma": np.eye(1)} if key == "mu" else {}
        yield Case(f"code-{key}.npz", lambda path, key=key, more=more: np.savez(path, **{key: objects}, **more))
    yield Case("code-labels.npz", lambda path: np.savez(path, arr_0=IMAGES[..., None], arr_1=objects))
    for part in ("data.pkl", "constants.pkl"):
        content = pickle.dumps(bomb("system"), 2)
        yield Case(
            f"code-{part}.ts", lambda path, p=part, c=content: _into_archive(path, good / "a.ts", {p: c}, add=True)
        )
    yield Case("short-data.ts", lambda path: _into_archive(path, good / "a.ts", {"/data/0": b"", "/data/1": b""}))
    sample = pickle.dumps(bomb("system"), 2)
    torch_file = io.BytesIO()
    torch.save(bomb("system"), torch_file)
    for kind, content in (("pickle", sample), ("file", torch_file.getvalue())):
        for part in ("data/sample_inputs/model.pt", "data/constants/opaque_0", "extra/x.pkl"):
            yield Case(
                f"code-{kind}-{part.replace('/', '-')}.pt2",
                lambda path, p=part, c=content: _into_archive(path, good / "a.pt2", {p: c}, add=True),
                harmless=True,  # what is pickled beside the program is left out
            )
    yield Case("code-config.pt2", lambda path: _pickled_weights(path, good / "a.pt2", torch_file.getvalue()))
    yield Case("code-guards.pt2", lambda path: _program(path, good, guards_code=[f"open({str(canary)!r}, 'w')"]), True)
    yield Case(
        "code-expression.pt2", lambda path: _symbol(path, good / "a.pt2", f"__import__('os').mkdir({str(canary)!r})")
    )
    yield Case(
        "code-library.pt2", lambda path: _into_archive(path, good / "a.pt2", {"data/aotinductor/m.so": b"x"}, True)
    )
    yield Case("code-target.pt2", lambda path: _target(path, good / "a.pt2", "os.system"))
    yield Case("code-save.ts", lambda path: _script(path, _saver(canary)))
    yield Case("code-operator.onnx", lambda path: _onnx_foreign(path))
    yield Case("code.csv", lambda path: _text(path, f"step,loss\n1,=cmd|' /C touch {canary}'!A0\n"))
    yield Case("code.toml", lambda path: _text(path, f"x = !!python/object/apply:os.mkdir ['{canary}']\n"))
    yield Case("code-yaml.toml", lambda path: _text(path, f"!!python/object/apply:os.mkdir ['{canary}']\n"))
    yield Case("code.yaml", lambda path: _text(path, f"!!python/object/apply:os.mkdir ['{canary}']\n"))


def _keyed(value: object) -> bytes:
    return b"\x80\x02}" + pickle.dumps(value, 2)[2:-1] + b"K\x01s."


def _pickled_weights(path: Path, good: Path, content: bytes) -> None:
    with zipfile.ZipFile(good) as archive:
        name = next(each for each in archive.namelist() if each.endswith("weights_config.json"))
        said = json.loads(archive.read(name))
    for tensor in said["config"].values():
        tensor["use_pickle"] = True
    _into_archive(path, good, {"weights_config.json": json.dumps(said).encode(), "weights/weight_0": content})


def _change_program(path: Path, good: Path, change: Callable[[Any], object]) -> None:
    with zipfile.ZipFile(good) as archive:
        program = json.loads(archive.read(next(each for each in archive.namelist() if each.endswith("model.json"))))
    change(program)
    _into_archive(path, good, {"models/model.json": json.dumps(program).encode()})


def _program(path: Path, good: Path, **changes: Any) -> None:
    _change_program(path, good / "a.pt2", lambda program: program.update(changes))


def _symbol(path: Path, good: Path, text: str) -> None:
    size = {"as_expr": {"expr_str": text, "hint": {"as_int": 4}}}

    def change(program: Any) -> None:
        values = program["graph_module"]["graph"]["tensor_values"]
        next(iter(values.values()))["sizes"][0] = size

    _change_program(path, good, change)


def _target(path: Path, good: Path, name: str) -> None:
    _change_program(path, good, lambda program: program["graph_module"]["graph"]["nodes"][0].update(target=name))


def _saver(canary: Path) -> torch.nn.Module:
    class Saver(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.path = str(canary)
            self.weight = torch.nn.Parameter(torch.ones(4, 4))

        def forward(self, noise: torch.Tensor) -> torch.Tensor:
            torch.save(noise, self.path)
            return noise @ self.weight

    return Saver()


def _onnx_foreign(path: Path) -> None:
    from onnx import helper

    _onnx(path, [helper.make_node("PythonOp", ["z"], ["x"], domain="com.evil", func="os.system")])


# Archives.


def _zip_entry(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    return entry


def _zeros_in_zip(path: Path, names: Sequence[str], size: int, head: bytes = b"") -> None:
    """An archive whose entries unpack to `size` zeros behind a head, written without unpacking them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)  # repeated, it is repeated zeros
    packed, check = start + block * (size >> 20) + packer.flush(), 0
    total = len(head) + (size >> 20 << 20)
    wide = struct.pack("<HHQQ", 1, 16, total, len(packed))
    local, central = b"", b""
    for name in names:
        text = name.encode()
        offset = len(local)
        common = struct.pack("<HHHHHIII", 45, 0, 8, 0, 33, check, 0xFFFFFFFF, 0xFFFFFFFF)
        local += b"PK\3\4" + common + struct.pack("<HH", len(text), len(wide)) + text + wide + packed
        central += b"PK\1\2" + struct.pack("<H", 45) + common
        central += struct.pack("<HHHHHII", len(text), len(wide), 0, 0, 0, 0, offset) + text + wide
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(names), len(names), len(central), len(local), 0)
    path.write_bytes(local + central + end)


def npy_header(shape: str, kind: str = "|u1") -> bytes:
    """The head of an array file."""
    text = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': ({shape}), }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode()


def _quine(path: Path) -> None:
    inner = png()
    for depth in range(20):
        buffer = io.BytesIO()
        _zip_to(buffer, [(f"{depth}.zip" if depth else "a.png", inner)])
        inner = buffer.getvalue()
    path.write_bytes(inner)


def _zip_to(buffer: io.BytesIO, entries: Sequence[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)


def archives(good: Path) -> Iterator[Case]:
    """Names that lead out, links, devices, bombs."""
    for title, name in {
        "parent": "../../escaped.png",
        "absolute": "/tmp/escaped.png",
        "windows": "..\\..\\escaped.png",
        "drive": "C:\\escaped.png",
        "middle": "a/../../escaped.png",
        "zero": "a\0.png",
    }.items():
        yield Case(f"{title}.zip", lambda path, name=name: _zip(path, [(name, png())]), harmless=title == "zero")
        yield Case(f"{title}.tar", lambda path, name=name: _tar(path, [(name, png())]), harmless=title == "zero")
    for title, kind in {
        "symlink": tarfile.SYMTYPE,
        "hardlink": tarfile.LNKTYPE,
        "character": tarfile.CHRTYPE,
        "block": tarfile.BLKTYPE,
        "fifo": tarfile.FIFOTYPE,
        "sparse": tarfile.GNUTYPE_SPARSE,
    }.items():
        yield Case(
            f"{title}.tar", lambda path, kind=kind: _tar(path, [("a.png", b"")], type=kind, linkname="/etc/passwd")
        )
    yield Case("link.zip", lambda path: _zip(path, [(_zip_entry("a.png", stat.S_IFLNK | 0o777), b"/etc/passwd")]))
    yield Case("bomb.zip", lambda path: _zeros_in_zip(path, ["a.png"], 10 << 30))
    yield Case("bomb-many.zip", lambda path: _zeros_in_zip(path, [f"{n}.png" for n in range(50)], 200 << 20))
    yield Case(
        "bomb.npz", lambda path: _zeros_in_zip(path, ["arr_0.npy"], 10 << 30, npy_header("10240, 1, 1024, 1024"))
    )
    yield Case(
        "bomb-fid.npz",
        lambda path: _zeros_in_zip(path, ["mu.npy", "sigma.npy"], 10 << 30, npy_header("36636, 36636", "<f8")),
    )
    for name in ("bzip2.npz", "bzip2.pt", "bzip2.ts", "bzip2-fid.npz"):
        yield Case(name, lambda path: _bzip2(path, good))
    yield Case("bomb.pt", lambda path: _zeros_in_zip(path, ["a/data.pkl", "a/version"], 10 << 30, b"\x80\x02"))
    yield Case("bomb-half.pt", lambda path: _zeros_in_zip(path, ["a/data.pkl"], 200 << 20, b"\x80\x02"))
    yield Case("bomb.ts", lambda path: _zeros_in_zip(path, ["a/code/x.py", "a/data.pkl", "a/constants.pkl"], 10 << 30))
    yield Case(
        "bomb.pt2",
        lambda path: _zeros_in_zip(path, ["a/archive_format", "a/models/model.json"], 10 << 30, b"["),
    )
    yield Case("bomb-json.pt2", _lists_in_zip)
    yield Case("bomb-labels.zip", lambda path: _zeros_in_zip(path, ["a.png", "dataset.json"], 200 << 20, b"["))
    yield Case("bomb.tar.gz", _tar_bomb)
    yield Case("streams.tar.gz", lambda path: path.write_bytes(gzip.compress(b"") * 1_500_000))
    yield Case("entries.zip", lambda path: _zip(path, [(f"{n}", b"") for n in range(65_535)]))
    yield Case("entries.pt", lambda path: _zip(path, [(f"a/data/{n}", b"") for n in range(65_535)]))
    yield Case("nested.zip", _quine)
    yield Case("overlap.zip", lambda path: _overlapping(path))
    yield Case("twice.zip", lambda path: _zip(path, [("a.png", png())] * 2))
    yield Case("twice.ts", lambda path: _twice(path, good / "a.ts"))
    yield Case("comment.zip", lambda path: _text(path, b"PK\3\4" + b"PK\5\6" * 20_000))
    yield Case("long-name.zip", lambda path: _zip(path, [("x" * 60_000 + ".png", png())] * 1), harmless=True)
    yield Case("encrypted.zip", lambda path: _text(path, _encrypted()))
    yield Case("pax.tar", lambda path: _tar(path, [("a.png", png())], pax_headers={"size": "9" * 30}))
    yield Case("long-name.tar", lambda path: _tar_sizes(path, b"77777777777\0", tarfile.GNUTYPE_LONGNAME))
    yield Case("long-head.tar", lambda path: _tar_sizes(path, b"77777777777\0", tarfile.XHDTYPE))
    yield Case("sizes.tar", lambda path: _tar_sizes(path, b"77777777777\0"))
    yield Case("negative.tar", lambda path: _tar_sizes(path, b"\xff" * 12))


def _bzip2(path: Path, good: Path) -> None:
    """A good archive packed by bzip2, of which a kilobyte holds a gigabyte that Python would unpack at once."""
    likes = {"bzip2.npz": "a.npz", "bzip2-fid.npz": "fid.npz", "bzip2.pt": "state.pth", "bzip2.ts": "a.ts"}
    with zipfile.ZipFile(good / likes[path.name]) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    _zip(path, entries, zipfile.ZIP_BZIP2)


def _lists_in_zip(path: Path) -> None:
    text = b'{"graph_module":[' + b"[]," * (80 << 20 >> 1) + b"[]]}"
    _zip(path, [("a/archive_format", b"pt2"), ("a/models/model.json", text)], zipfile.ZIP_DEFLATED)


def _twice(path: Path, good: Path) -> None:
    with zipfile.ZipFile(good) as before:
        entries = [(info.filename, before.read(info)) for info in before.infolist()]
    _zip(path, entries + entries)


def _overlapping(path: Path) -> None:
    """Entries that all lie on the same bytes, so that they unpack to far more than the file."""
    content = png(np.zeros((4096, 4096), np.uint8))
    _zip(path, [("a.png", content)])
    data = path.read_bytes()
    start = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    entry = data[start:end]
    central = b"".join(
        entry.replace(b"a.png", b"%05d.png" % n).replace(b"\x05\0\0\0", b"\x09\0\0\0", 1) for n in range(5000)
    )
    tail = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 5000, 5000, len(central), start, 0)
    path.write_bytes(data[:start] + central + tail)


def _encrypted() -> bytes:
    buffer = io.BytesIO()
    _zip_to(buffer, [("a.png", png())])
    content = bytearray(buffer.getvalue())
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.find(mark) + offset] |= 1
    return bytes(content)


def _tar_bomb(path: Path) -> None:
    member = tarfile.TarInfo("a.png")
    member.size = 10 << 30
    path.write_bytes(gzip.compress(member.tobuf()) + gzip.compress(bytes(1 << 20)) * (10 << 10))


def _tar_sizes(path: Path, size: bytes, kind: bytes = tarfile.REGTYPE) -> None:
    head = bytearray(tarfile.TarInfo("a.png").tobuf())
    head[124:136], head[156:157] = size, kind
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    path.write_bytes(bytes(head) + bytes(1024))


# Images.


def _packed_zeros(size: int) -> bytes:
    """Zeros as zlib packs them, without packing them all; the checksum at the end is left out."""
    packer = zlib.compressobj(9)
    start = packer.compress(bytes(size % (1 << 20))) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)) * (size >> 20)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(width: int, height: int, data: bytes = b"", before: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    """A PNG that says what it likes of itself."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + before + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _folder(*files: tuple[str, bytes]) -> Make:
    def make(path: Path) -> None:
        path.mkdir()
        for name, content in files:
            (path / name).write_bytes(content)

    return make


def _text_bomb() -> bytes:
    return _chunk(b"zTXt", b"Comment\0\0" + _packed_zeros(200 << 20))


def images(good: Path) -> Iterator[Case]:
    """Absurd sizes, in files and in folders of them."""
    huge = {
        "png": png_of(2**31 - 1, 2**31 - 1),
        "wide.png": png_of(2**31 - 1, 1),
        "zero.png": png_of(0, 0),
        "bomb.png": png_of(8192, 8192, _packed_zeros((8192 * 3 + 1) * 8192)),
        "text.png": png_of(8, 8, zlib.compress(bytes(25 * 8)), _text_bomb()),
        "profile.png": png_of(8, 8, zlib.compress(bytes(25 * 8)), _chunk(b"iCCP", b"x\0\0" + _packed_zeros(200 << 20))),
        "deep.png": png_of(50_000, 50_000, depth=16),
        "palette.png": png_of(60_000, 60_000, depth=8, colour=3),
        "gif": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b",\0\0\0\0\xff\xff\xff\xff\0\x08\x01\0\0;",
        "bmp": b"BM" + struct.pack("<IHHIIiiHHIIIIII", 100, 0, 0, 54, 40, 2**31 - 1, -(2**31), 1, 24, 0, 0, 0, 0, 0, 0),
        "tif": _tiff(2**31, 2**31),
        "strips.tif": _tiff(8, 8, strips=2**30),
        "webp": b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\2\0\0\0" + b"\xff" * 6,
        "jpg": b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xc0\0\x11\x08\xff\xff\xff\xff\3\1\x22\0\2\x11\1\3\x11\1",
    }
    for name, content in huge.items():
        suffix = name.rpartition(".")[2]
        yield Case(f"huge-{name}", lambda path, content=content: path.write_bytes(content))
        yield Case(
            f"folder-of-{name.replace('.', '-')}",
            _folder((f"a.{suffix}", content), (f"b.{suffix}", content)),
            harmless=name in ("bomb.png", "text.png", "profile.png"),
        )
    yield Case("folder-of-text", _folder(("a.png", b"hello"), ("b.png", png())))
    yield Case("folder-of-empty", _folder(("a.png", b""), ("b.png", png())))
    yield Case(
        "folder-of-postscript",
        _folder(("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), ("b.png", png())),
    )
    yield Case("folder-of-icons", _folder(("a.png", b"icns\0\0\0\x10ic10\0\0\0\x08"), ("b.png", png())))
    yield Case("folder-of-many-bombs", _folder(*[(f"{n}.png", huge["bomb.png"]) for n in range(40)]), harmless=True)
    yield Case("frames.gif", _many_frames)
    yield Case("pages.tif", _many_pages)
    yield Case("sizes-folder", _folder(("a.png", png()), ("b.png", png(IMAGES[0, :4]))))
    for end in ("png", "jpg", "bmp", "webp", "gif", "tif"):
        for part in (0.3, 0.7):
            make = (
                lambda path, end=end, part=part: _folder(  # noqa: E731
                    (f"a.{end}", (c := (good / f"a.{end}").read_bytes())), (f"b.{end}", c[: int(len(c) * part)])
                )(path)
            )
            # The first page of a cut TIFF is whole, and the first is what a folder takes of it.
            yield Case(f"folder-of-cut-{end}-{part}", make, harmless=end in ("jpg", "tif"))


def _tiff(width: int, height: int, strips: int = 1) -> bytes:
    tags = [
        (256, 4, 1, width & 0xFFFFFFFF),
        (257, 4, 1, height & 0xFFFFFFFF),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, strips, 8),
        (277, 3, 1, 1),
        (278, 4, 1, height & 0xFFFFFFFF),
        (279, 4, strips, 64),
    ]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + bytes(64)


def _many_frames(path: Path) -> None:
    """A small file of 20,000 frames of 8 million pixels: most say that nothing changes."""
    buffer = io.BytesIO()
    Image.new("L", (4096, 2048)).save(buffer, format="GIF")
    content = buffer.getvalue()
    frame = b"!\xf9\x04\0\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    path.write_bytes(content[:-1] + frame * 20_000 + b";")


def _many_pages(path: Path) -> None:
    """A TIFF of 60,000 pages, which all are the same few pixels."""
    buffer = io.BytesIO()
    Image.new("L", (4, 4)).save(buffer, "TIFF")
    content = bytearray(buffer.getvalue())
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    page, link = bytes(content[start : start + 2 + 12 * count]), start + 2 + 12 * count
    content += bytes(len(content) % 2)
    for _ in range(60_000):
        struct.pack_into("<I", content, link, len(content))
        link = len(content) + len(page)
        content += page + bytes(4)
    path.write_bytes(content)


# Headers.


def safetensors_with(header: Any, content: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file that says what it likes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + content


_OF_IMAGES = {"images": {"dtype": "U8", "shape": [4, 1, 8, 8], "data_offsets": [0, 256]}}


def headers() -> Iterator[Case]:
    """Shapes and lengths that do not fit, or that nothing fits."""
    digits = "9" * 5000  # more than Python turns into a number
    shapes = {
        "huge": f"{2**40}, 3, 64, 64",
        "overflow": f"{2**62}, {2**62}, {2**62}, 4",
        "negative": "-4, 1, 8, 8",
        "zero": "0, 1, 8, 8",
        "empty": "4, 1, 0, 8",
        "text": '"a", 1, 8, 8',
        "digits": f"{digits}, 1",
        "float": "1.5, 2, 8, 8",
        "deep": ", ".join("1" * 100),
    }
    for title, shape in shapes.items():
        array = npy_header(shape) + bytes(256)
        yield Case(f"shape-{title}.npy", lambda path, array=array: path.write_bytes(array))
        yield Case(f"shape-{title}.npz", lambda path, array=array: _zip(path, [("arr_0.npy", array)]))
        yield Case(
            f"shape-{title}-fid.npz",
            lambda path, array=array: _zip(path, [("mu.npy", array), ("sigma.npy", array)]),
        )
        for name, kind in (("images", "U8"), ("linear.weight", "F32")):
            text = f'{{"{name}": {{"dtype": "{kind}", "shape": [{shape}], "data_offsets": [0, 256]}}}}'
            content = safetensors_with(text.encode(), bytes(256))
            yield Case(f"shape-{title}-{name}.safetensors", lambda path, content=content: path.write_bytes(content))
    for title, sizes in {"huge": [2**40, 64], "negative": [-4, 4], "overflow": [2**62, 2**62]}.items():
        yield Case(f"shape-{title}.onnx", lambda path, sizes=sizes: _onnx_dims(path, sizes), harmless=True)
    for title, kind in {
        "code": "O",
        "void": "|V8",
        "long": "<U99999999",
        "fields": [("a", "<f8")] * 2,
        "lie": "__import__",
    }.items():
        yield Case(
            f"kind-{title}.npy",
            lambda path, kind=kind: path.write_bytes(
                npy_header("4, 4").replace(b"'|u1'", repr(kind).encode()) + bytes(256)
            ),
        )
    yield Case("nested.npy", lambda path: path.write_bytes(npy_header("(" * 9000)))
    for title, length in {"lying": 2**63, "long": 2**27 - 1, "short": 3, "past": 10_000, "zero": 0}.items():
        yield Case(
            f"length-{title}.safetensors",
            lambda path, length=length: path.write_bytes(
                safetensors_with(
                    {"images": {"dtype": "U8", "shape": [4, 1, 8, 8], "data_offsets": [0, 256]}}, bytes(256), length
                )
            ),
        )
    for title, offsets in {
        "behind": [0, 2**60],
        "before": [-256, 0],
        "swapped": [256, 0],
        "text": ["a", "b"],
        "one": [0],
    }.items():
        yield Case(
            f"offsets-{title}.safetensors",
            lambda path, offsets=offsets: path.write_bytes(
                safetensors_with(
                    {"images": {"dtype": "U8", "shape": [4, 1, 8, 8], "data_offsets": offsets}}, bytes(256)
                )
            ),
        )
    yield Case("trailing.safetensors", lambda path: _with_a_tail(path, safetensors_with(_OF_IMAGES, bytes(256))))
    yield Case("trailing.pt", lambda path: _with_a_tail(path, b"PK\3\4" + bytes(300)))
    yield Case(
        "tensors.safetensors",
        lambda path: path.write_bytes(
            safetensors_with({f"t{n}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for n in range(200_000)})
        ),
    )
    yield Case("nested.safetensors", lambda path: path.write_bytes(safetensors_with(b'{"a":' + b"[" * 100_000)))
    yield Case("list.safetensors", lambda path: path.write_bytes(safetensors_with(b'{"a":[]}')))
    for title, write in {
        "promised": lambda file: file.create_dataset("images", (10**9, 3, 64, 64), dtype="u1", chunks=(1, 3, 64, 64)),
        "chunk": lambda file: file.create_dataset(
            "images", (2**14, 2**15), dtype="u1", chunks=(2**14, 2**15), compression="gzip"
        ),
        "words": lambda file: file.create_dataset("images", data=[b"a", b"b"]),
        "empty": lambda file: file.create_group("images"),
        "loop": _looped,
        "soft": lambda file: _linked(file, "soft"),
        "outside": lambda file: _linked(file, "outside"),
        "virtual": _virtual,
        "stored": lambda file: file.create_dataset("images", (4, 64), dtype="u1", external=[("/etc/passwd", 0, 256)]),
    }.items():
        yield Case(f"{title}.h5", lambda path, write=write: _write_hdf5(path, write))
    yield Case("turning.h5", _turning_hdf5)
    yield Case("index-outside.json", lambda path: _text(path, json.dumps({"weight_map": {"w": "../../../etc/passwd"}})))
    yield Case("index-absolute.json", lambda path: _text(path, json.dumps({"weight_map": {"w": "/etc/passwd"}})))
    yield Case("index-missing.json", lambda path: _text(path, json.dumps({"weight_map": {"w": "none.safetensors"}})))
    yield Case("index-itself.json", lambda path: _text(path, json.dumps({"weight_map": {"w": "index-itself.json"}})))
    yield Case("index-text.json", lambda path: _text(path, json.dumps({"weight_map": "x"})))
    yield Case(
        "index-many.json", lambda path: _text(path, json.dumps({"weight_map": {str(n): str(n) for n in range(20_000)}}))
    )


def _with_a_tail(path: Path, content: bytes) -> None:
    """A file with 40 GB of zeros behind it, which take no room on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.truncate(40 << 30)


def _onnx_dims(path: Path, sizes: list[int]) -> None:
    import onnx
    from onnx import TensorProto

    tensor = TensorProto(name="extra", data_type=TensorProto.FLOAT, dims=sizes, raw_data=bytes(256))
    _onnx(path, more=[tensor])
    del onnx


def _turning_hdf5(path: Path) -> None:
    """A part of the root twice: HDF5's own visitor never comes back from it."""
    _hdf5(path)
    content = path.read_bytes()
    path.write_bytes(content[:80] + content[80:152] + content[80:])


def _write_hdf5(path: Path, write: Callable[[Any], object]) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        write(file)


def _looped(file: Any) -> None:
    file.create_group("a")["b"] = file["/"]


def _linked(file: Any, kind: str) -> None:
    import h5py

    file["images"] = h5py.SoftLink("/images") if kind == "soft" else h5py.ExternalLink("/etc/passwd", "images")


def _virtual(file: Any) -> None:
    import h5py

    layout = h5py.VirtualLayout((4, 64), dtype="u1")
    layout[:] = h5py.VirtualSource("/etc/passwd", "images", (4, 64))
    file.create_virtual_dataset("images", layout)


# Pickles that are no code, and take for ever.


def _shared_tuple(depth: int) -> bytes:
    """A tuple of itself twice, `depth` times over: its size is 2 to the power of that."""
    return b")" + b"2\x86" * depth


def pickles() -> Iterator[Case]:
    """Pickles that would fill the memory or never end."""
    nested = b"\x80\x02}" + _shared_tuple(60) + b"K\x01s."
    ordered = b"\x80\x02ccollections\nOrderedDict\n]" + _shared_tuple(60) + b"K\x01\x86a\x85R."
    named = b"\x80\x04" + _shared_tuple(40) + b"\x8c\x01a\x93."
    deep = b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."
    marks = b"\x80\x02" + b"K\x01" * 300_000 + b"(0" * 300_000 + b"."
    pops = b"\x80\x02" + b"K\x01" * 300_000 + b"(1" * 300_000 + b"."
    long = b"\x80\x02" + b"K\x010" * 8_000_000 + b"N."
    number = b"\x80\x02}X\x01\0\0\0a\x8b" + struct.pack("<i", 1 << 20) + b"\xff" * ((1 << 20) - 1) + b"\x01s."
    for title, content in {
        "keys": nested,
        "ordered": ordered,
        "name": named,
        "deep": deep,
        "marks": marks,
        "pops": pops,
        "long": long,
        "number": number,
        "memo": b"\x80\x02j\xff\xff\xff\xff.",
        "size": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        "stop": b"\x80\x02.",
        "empty": b"\x80\x02",
        "future": b"\x80\x63}.",
    }.items():
        yield Case(f"pickle-{title}.pkl", lambda path, content=content: path.write_bytes(content))
        yield Case(
            f"pickle-{title}.pt",
            lambda path, content=content: _zip(
                path, [("a/data.pkl", content), ("a/version", b"3\n"), ("a/byteorder", b"little")]
            ),
        )
    storage = (
        b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0"
        + b"0X\x03\0\0\0cpu"
    )
    for title, (numel, offset, shape, stride) in {
        "numel": (2**40, 0, 2**40, 1),
        "offset": (16, 2**40, 16, 1),
        "stride": (16, 0, 16, 2**40),
        "negative": (16, -5, 16, 1),
        "expanded": (1, 0, 2**40, 0),
    }.items():
        words = b"".join(b"\x8a\x08" + struct.pack("<q", value) for value in (numel, offset, shape, stride))
        a, b, c, d = (words[n * 10 : n * 10 + 10] for n in range(4))
        text = storage + a + b"tQ" + b + c + b"\x85" + d + b"\x85" + b"\x89ccollections\nOrderedDict\n)RtRs."
        yield Case(
            f"tensor-{title}.pt",
            lambda path, text=text: _zip(
                path, [("a/data.pkl", text), ("a/data/0", bytes(64)), ("a/version", b"3\n"), ("a/byteorder", b"little")]
            ),
        )


# Programs.


class _Endless(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 64)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        while bool(noise.sum() * 0 == 0):
            noise = noise * 1.0
        return self.linear(noise).view(-1, 1, 8, 8)


class _Greedy(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 64)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        return self.linear(noise).view(-1, 1, 8, 8) + torch.ones([68719476736]).sum()


class _Hoarder(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 64)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        kept = [noise]
        for _ in range(10_000):
            kept.append(torch.ones([16777216]))
        return self.linear(kept[0]).view(-1, 1, 8, 8) + kept[-1][0]


class _Talker(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 64)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        print("\x1b[31m{")
        return self.linear(noise).tanh().view(-1, 1, 8, 8)


class _Failing(torch.nn.Module):
    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        if True:
            raise RuntimeError("\x1b[2J<script>alert(1)</script>\nTraceback")
        return noise


class _Wide(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 64)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        return self.linear(noise).view(-1, 1, 8, 8).expand(-1, 3, 8, 8).repeat(1, 1, 2000, 2000)


def programs(good: Path) -> Iterator[Case]:
    """Programs that never end, take all memory, talk, or cannot be parsed."""
    from onnx import helper

    for module in (_Endless, _Greedy, _Hoarder, _Failing, _Wide):
        yield Case(f"{module.__name__[1:].lower()}.ts", lambda path, module=module: _script(path, module()))
    yield Case("wide-config.pt", lambda path: _checkpoint(path, hidden=[100_000, 100_000]))
    yield Case("long-config.pt", lambda path: _checkpoint(path, hidden=[1] * 200_000))
    yield Case("talker.ts", lambda path: _script(path, _Talker()), harmless=True)
    for title, code in {
        "brackets": "(" * 200_000 + "x" + ")" * 200_000,
        "minus": "-" * 200_000 + "x",
        "sum": "x" + " + x" * 200_000,
        "nots": "not " * 200_000 + "x",
        "getattr": "getattr(" * 30_000 + 'x, "a")' * 30_000,
        "lists": "[" * 200_000,
        "indents": "x",
    }.items():
        body = f"  return {code}\n"
        if title == "indents":
            body = "".join("  " * (n + 1) + "if True:\n" for n in range(5000)) + "  " * 5002 + "return x\n"
        text = f"class _Net(Module):\n  def forward(self: __torch__._Net, x: Tensor) -> Tensor:\n{body}"
        yield Case(f"parse-{title}.ts", lambda path, text=text: _into_code(path, good / "a.ts", text.encode()))
    deep = "List[" * 100_000 + "int" + "]" * 100_000
    text = f"class _Net(Module):\n  training : {deep}\n"
    yield Case("parse-types.ts", lambda path: _into_code(path, good / "a.ts", text.encode()))
    yield Case("recursive.onnx", lambda path: _onnx(path, [helper.make_node("Tanh", ["x"], ["x"])]))
    yield Case("unknown.onnx", lambda path: _onnx(path, [helper.make_node("Nothing", ["z"], ["x"])]))
    yield Case("loop.onnx", _onnx_loop)
    yield Case("greedy.onnx", lambda path: _onnx_fill(path))
    yield Case("dims.onnx", lambda path: path.write_bytes(_packed_dims()))
    yield Case("outside.onnx", lambda path: _onnx_outside(path, "../../../../etc/passwd"))
    yield Case("absolute.onnx", lambda path: _onnx_outside(path, "/etc/passwd"))
    yield Case("nested.onnx", lambda path: path.write_bytes(_nested_onnx()))
    yield Case("expression-deep.pt2", lambda path: _symbol(path, good / "a.pt2", "(" * 5000 + "s0" + ")" * 5000))
    yield Case("expression-long.pt2", lambda path: _symbol(path, good / "a.pt2", "-" * 100_000 + "s0"))
    yield Case("expression-power.pt2", lambda path: _symbol(path, good / "a.pt2", "Pow(9, Pow(9, Pow(9, 9)))"))
    yield Case(
        "json-deep.pt2", lambda path: _into_archive(path, good / "a.pt2", {"models/model.json": b"[" * 1_000_000})
    )


def _into_code(path: Path, good: Path, text: bytes) -> None:
    with zipfile.ZipFile(good) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".py"))
    _into_archive(path, good, {name: text})


def _onnx_loop(path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Identity", ["a"], ["a2"])],
        "b",
        [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("a", TensorProto.FLOAT, None)],
        [info("c2", TensorProto.BOOL, []), info("a2", TensorProto.FLOAT, None)],
    )
    more = [numpy_helper.from_array(np.array(2**62), "trips"), numpy_helper.from_array(np.array(True), "on")]
    _onnx(path, [helper.make_node("Loop", ["trips", "on", "z"], ["x"], body=body)], more=more)


def _onnx_fill(path: Path) -> None:
    from onnx import helper, numpy_helper

    nodes = [helper.make_node("ConstantOfShape", ["big"], ["x"])]
    _onnx(path, nodes, more=[numpy_helper.from_array(np.array([2**18, 2**18]), "big")])


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _packed_dims() -> bytes:
    return b"\x08\x08" + _field(2, b"x") + _field(7, _field(5, _field(1, b"\1" * (60 << 20))))


def _nested_onnx() -> bytes:
    inner = _field(4, b"If")
    for _ in range(3000):
        inner = _field(4, b"If") + _field(5, _field(6, _field(1, inner)))
    return b"\x08\x08" + _field(2, b"x") + _field(7, _field(1, inner))


def _onnx_outside(path: Path, name: str) -> None:
    from onnx import StringStringEntryProto, TensorProto

    tensor = TensorProto(name="extra", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.append(StringStringEntryProto(key="location", value=name))
    _onnx(path, more=[tensor])


# Text.


def documents() -> Iterator[Case]:
    """JSON and TOML that break parsers, and values that no score has."""
    yield Case("brackets.json", lambda path: _text(path, b"[" * (100 << 20)))
    yield Case("lists.json", lambda path: _text(path, b"[" + b"[]," * (40 << 20) + b"[]]"))
    yield Case("brackets.jsonl", lambda path: _text(path, b"[" * (100 << 20)))
    yield Case("deep.toml", lambda path: _text(path, "a = " + "[" * 50_000))
    yield Case("keys.toml", lambda path: _text(path, ".".join("a" * 200_000) + " = 1"))
    yield Case("parts.toml", lambda path: _text(path, ".".join("a" * 30_000) + " = 1"))
    yield Case("tables.toml", lambda path: _text(path, "".join(f"[a{n}]\n" for n in range(200_000))))
    yield Case("dots.toml", lambda path: _text(path, "[" + ".".join("a" * 20_000) + "]\n" + "b = 1\n"))
    yield Case("zero.toml", lambda path: _text(path, "\0" * 1000))
    yield Case("zero.json", lambda path: _text(path, "\0" * 1000))
    yield Case("latin.json", lambda path: _text(path, b'{"a": "\xff"}'))
    yield Case("latin.toml", lambda path: _text(path, b'a = "\xff"'))
    yield Case("marked.json", lambda path: _text(path, b"\xef\xbb\xbf" + json.dumps(result()).encode()))
    scores: dict[str, Any] = {
        "nan": {"value": float("nan")},
        "infinite": {"value": "X1e999"},
        "large": {"value": "X1.7e308", "ci95": None},
        "depth": {"details": {"a": [{"b": "X1e999"}]}},
        "digits": {"value": "X" + "9" * 400},
        "digits-many": {"value": "X" + "9" * 6000},
        "counts": {"n_fake": "X" + "9" * 400},
        "negative": {"n_fake": -5},
        "swapped": {"ci95": [2.0, 1.0]},
        "short": {"ci95": [1.0]},
        "text": {"value": "1"},
        "list": {"value": [1]},
        "flag": {"value": True},
        "status": {"status": "<script>"},
        "better": {"better": "\x1b[31m"},
        "details": {"details": 5},
        "interval": {"ci95": ["X1e999", "X1e999"]},
        "error": {"stderr": "X1e999"},
        "spread": {"stderr": -1},
    }
    for title, changes in scores.items():
        yield Case(f"score-{title}.json", lambda path, c=changes: _text(path, _raw(json.dumps(result(**c)))))
    document = result()
    for title, changes in {
        "keys": {"scores": {"\x1b[31m": SCORE, "": SCORE, "a@b@c": SCORE}},
        "scores": {"scores": []},
        "none": {"scores": {}},
        "source": {"source": None},
        "unnamed": {"source": {}},
        "name": {"source": {**document["source"], "name": {"a": 1}}},
        "reference": {"reference": {"name": ["x"]}},
        "protocol": {"protocol": {"extractors": 5}},
        "seed": {"protocol": {**document["protocol"], "seed": {"a": []}}},
        "warnings": {"warnings": [1]},
        "created": {"created": 5},
        "more": {"surprise": 1},
        "schema": {"schema": "gandiag.result/99"},
    }.items():
        usable = title in ("keys", "none", "unnamed", "reference", "protocol", "seed", "name")
        yield Case(f"result-{title}.json", lambda path, c=changes: _text(path, json.dumps({**document, **c})), usable)
    lines = [json.dumps(line) for line in run_lines()]
    for title, line in {
        "nan": '{"step": 9000, "time": 1, "signals": {"auc": NaN}}',
        "infinite": '{"step": 9000, "time": 1, "signals": {"auc": 1e999}}',
        "digits": '{"step": 9000, "time": 1, "signals": {"auc": ' + "9" * 400 + "}}",
        "step": '{"step": 1e300, "time": 1, "signals": {"auc": 0}}',
        "steps": '{"step": ' + "9" * 400 + ', "time": 1, "signals": {"auc": 0}}',
        "signals": '{"step": 9000, "time": 1, "signals": [1]}',
        "alert": '{"step": 9000, "alert": {"kind": "\\u001b[31m", "severity": "critical"}}',
        "text": "hello",
        "header": lines[0],
        "names": json.dumps({"step": 9000, "time": 1, "signals": {f"s{n}": 1 for n in range(50_000)}}),
    }.items():
        make = lambda path, line=line: _text(path, "\n".join([*lines, line, *lines[1:]]) + "\n")  # noqa: E731
        yield Case(f"run-{title}.jsonl", make, harmless=title == "names")
    yield Case("run-header.json", lambda path: _text(path, '{"schema": "gandiag.run/99"}\n'))
    yield Case("run-long.jsonl", lambda path: _text(path, lines[0] + "\n" + "x" * (2 << 20)), harmless=True)
    for title, text in {
        "empty": "",
        "none": "x = 1",
        "gate": "gate = 5",
        "metric": '[[gate]]\nmetric = "\\u001b[31m"\nmax = 1\n',
        "max": '[[gate]]\nmetric = "fid"\nmax = nan\n',
        "infinite": '[[gate]]\nmetric = "fid"\nmax = inf\n',
        "digits": '[[gate]]\nmetric = "fid"\nmax = ' + "9" * 400 + "\n",
        "regression": '[[gate]]\nmetric = "fid"\nmax_regression = "1e999%"\n',
        "samples": 'samples = -5\n[[gate]]\nmetric = "fid"\nmax = 1\n',
        "gates": '[[gate]]\nmetric = "fid"\nmax = 12\n' * 5000,
    }.items():
        yield Case(f"policy-{title}.toml", lambda path, text=text: _text(path, text))
    for title, (old, new) in {
        "batch": ("batch_size = ", "batch_size = 9"),
        "extends": ("summary", 'extends = "../../../etc/passwd"\nsummary'),
        "steps": ("steps = ", "steps = -"),
        "nan": ("learning_rate = ", "learning_rate = nan #"),
        "infinite": ("learning_rate = ", "learning_rate = inf #"),
        "loss": ("loss = ", 'loss = "../../../../etc/passwd" #'),
        "network": ("network = ", 'network = "os.system" #'),
        "dataset": ("dataset = ", 'dataset = "\\u001b[31m" #'),
        "dim": ("dim = ", "dim = 99999999999 #"),
        "decimals": ("dim = ", "dim = 1.5 #"),
    }.items():
        yield Case(
            f"recipe-{title}.toml", lambda path, o=old, n=new: _text(path, recipe().replace(o, n)), title == "batch"
        )
    said = answers()
    for title, changes in {
        "key": {"key": None},
        "trials": {"trials": 5},
        "none": {"trials": []},
        "twice": {"trials": said["trials"] * 2},
        "rater": {"rater": ["x"]},
        "long": {"rater": "x" * 10_000},
        "time": {"trials": [{**said["trials"][0], "milliseconds": "X1e999"}, *said["trials"][1:]]},
        "sources": {"key": {**said["key"], "sources": [5]}},
        "question": {"key": {**said["key"], "question": []}},
        "name": {"key": {**said["key"], "sources": [{"name": "../../escaped" + "x" * 5000}]}},
    }.items():
        yield Case(
            f"answers-{title}.json",
            lambda path, c=changes: _text(path, _raw(json.dumps({**said, **c}))),
            title in ("time", "name"),
        )
    for title, text in {
        "ragged": "step,loss\n1,2,3\n4\n5,6\n",
        "words": "step,loss\na,b\n",
        "header": "1,2\n3,4\n",
        "twice": "step,loss,loss\n1,2,3\n",
        "wide": ",".join(f"c{n}" for n in range(100_000)) + "\n",
        "line": "step,loss\n" + "1" * (4 << 20),
        "digits": "step,loss\n" + "9" * 5000 + ",1\n",
        "zero": "step,loss\n1,\0\n",
        "quotes": 'step,loss\n1,"' + "x" * 300_000,
        "infinite": "step,loss\n1e308,1\n1e309,2\n",
    }.items():
        yield Case(
            f"table-{title}.csv",
            lambda path, text=text: _text(path, text),
            title in ("ragged", "infinite", "digits", "zero"),
        )


def _raw(text: str) -> str:
    """JSON in which texts such as "X1e999" stand as numbers."""
    import re

    return re.sub(r'"X([0-9e.]+)"', r"\1", text)


# Names, and what is no file.


NAMES = ("a\nb.npy", "\x1b[31mred\x07.npy", "<img src=x onerror=alert(1)>.npy", "=cmd()+'|'.npy", "-m.npy", "a:b:c.npy")


def names() -> Iterator[Case]:
    """Files whose names are an attack on whoever prints them; what is in them is damaged."""
    for name in NAMES:
        yield Case(name, lambda path: path.write_bytes(b"\x93NUMPY" + bytes(20)))
    yield Case("b\udcff\udcfe.npy", lambda path: path.write_bytes(b"\x93NUMPY" + bytes(20)))
    yield Case("names-folder", _folder(("a\n\x1b[31m.png", b"no image"), ("b.png", png())))
    yield Case("names.zip", lambda path: _zip(path, [("a\n\x1b[31m<b>.png", b"no image")]))
    yield Case("names.tar", lambda path: _tar(path, [("a\n\x1b[31m<b>.png", b"no image")]))
    yield Case("keys.npz", lambda path: np.savez(path, **{"\x1b[31m\n": np.ones(3), "b": np.ones(3)}))
    yield Case("keys.pt", lambda path: torch.save({"\x1b[31m\nfile": torch.ones(3)}, path))


def places() -> Iterator[Case]:
    """What is no regular file, and folders that lead nowhere."""
    yield Case("fifo", os.mkfifo)
    for suffix in ("npy", "json", "toml", "jsonl", "csv", "npz", "safetensors", "pt"):
        yield Case(f"fifo.{suffix}", os.mkfifo)
    for suffix in ("npy", "json", "toml", "jsonl", "csv", "npz", "safetensors", "pt"):
        yield Case(f"folder.{suffix}", lambda path: path.mkdir())
        yield Case(f"zero.dev.{suffix}", lambda path: path.symlink_to("/dev/zero"))
        yield Case(f"blank.{suffix}", lambda path: path.touch())
    yield Case("socket", _socket)
    yield Case("random", lambda path: path.symlink_to("/dev/urandom"))
    yield Case("nothing", lambda path: path.symlink_to("nowhere"))
    yield Case("itself", lambda path: path.symlink_to(path))
    yield Case("empty-folder", lambda path: path.mkdir())
    yield Case("loop-folder", _looping)
    yield Case("deep-folder", _deep)
    yield Case("unreadable-folder", _unreadable, harmless=os.geteuid() == 0)  # root reads it
    yield Case("fifo-folder", lambda path: (path.mkdir(), os.mkfifo(path / "a.png")))
    yield Case("fifo-run", lambda path: (path.mkdir(), os.mkfifo(path / "run.jsonl")))
    yield Case("fifo-labels", lambda path: (_folder(*_named())(path), os.mkfifo(path / "dataset.json")), harmless=True)
    yield Case(
        "zero-labels", lambda path: (_folder(*_named())(path), (path / "dataset.json").symlink_to("/dev/zero")), True
    )
    yield Case("fifo-history", lambda path: (path.mkdir(), os.mkfifo(path / "a.json")))
    yield Case("fifo-events", lambda path: (path.mkdir(), os.mkfifo(path / "events.out.tfevents.1")))
    yield Case(
        "noise-events", lambda path: (path.mkdir(), (path / "events.out.tfevents.1").write_bytes(RNG.bytes(5000)))
    )


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        before = Path.cwd()
        os.chdir(path.parent)
        try:
            opened.bind(path.name)
        finally:
            os.chdir(before)


def _looping(path: Path) -> None:
    path.mkdir()
    (path / "again").symlink_to(path)
    (path / "up.png").symlink_to(path / "up.png")


def _deep(path: Path) -> None:
    path.mkdir()
    before = Path.cwd()
    try:
        os.chdir(path)
        for _ in range(400):
            os.mkdir("d" * 100)
            os.chdir("d" * 100)
    finally:
        os.chdir(before)


def _unreadable(path: Path) -> None:
    path.mkdir()
    (path / "a.png").write_bytes(png())
    (path / "a.png").chmod(0)
    (path / "inner").mkdir()
    (path / "inner").chmod(0)


def cases(good: Path, canary: Path) -> list[Case]:
    """All of them."""
    return [
        *code(good, canary),
        *archives(good),
        *images(good),
        *headers(),
        *pickles(),
        *programs(good),
        *documents(),
        *names(),
        *places(),
        *broken(good),
    ]


def write_corpus(folder: Path) -> list[Case]:
    """Good files in `folder/good`, hostile ones in `folder/bad`."""
    write_good(folder / "good")
    (folder / "bad").mkdir()
    found = cases(folder / "good", folder / "canary")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in found:
            case.make(folder / "bad" / case.name)
    return found


if __name__ == "__main__":
    print(f"wrote {len(write_corpus(Path(sys.argv[1]).resolve()))} cases")
