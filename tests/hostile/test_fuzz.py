"""Good files with bits changed, cut, joined and repeated, through each reader for a while: `GANDIAG_FUZZ_SECONDS` each.

Mutations come from a fixed seed and a count, so that a failure names what makes it again.
"""

from __future__ import annotations

import json
import os
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from corpus import GOOD, answers, result, run_lines, write_good

from gandiag.core.errors import GandiagError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SECONDS = float(os.environ.get("GANDIAG_FUZZ_SECONDS", "20"))
SEED = int(os.environ.get("GANDIAG_FUZZ_SEED", "0"))
LONGEST = 10.0  # seconds of one input
WORDS = (b"\0", b"\xff" * 4, b"\xff" * 8, b"\x7f", b"\x80\x02", b"[" * 50, b"9" * 30, b"-1", b"1e999", b"../", b"\n")


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "good"
    write_good(folder)
    return folder


def mutated(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """The content with a few changes, most of them small."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(changed) or 1)
        match rng.randrange(9):
            case 0 | 1 | 2:
                changed[at : at + 1] = bytes([(changed[at] if changed else 0) ^ 1 << rng.randrange(8)])
            case 3:
                del changed[at:]
            case 4:
                del changed[at : at + rng.randrange(1, 64)]
            case 5:
                changed[at:at] = changed[at : at + rng.randrange(1, 256)] * rng.choice((1, 2, 50))
            case 6:
                start = rng.randrange(len(other))
                changed[at:] = other[start : start + rng.randrange(1, 4096)]
            case 7:
                changed[at : at + 1] = rng.choice(WORDS)
            case _:
                number = rng.choice((0, -1, 1 << 31, (1 << 63) - 1, rng.getrandbits(40)))
                changed[at : at + 8] = struct.pack("<q", number)
    return bytes(changed)


def changed_value(value: Any, rng: random.Random) -> Any:
    """A JSON value with one part of it replaced by something odd."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {name: inner for name, inner in value.items() if name != key}
        return {**value, key: changed_value(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], changed_value(value[at], rng), *value[at + 1 :]]
    odd = (
        None,
        True,
        -1,
        0,
        1.5,
        10**30,
        10**400,
        "",
        "x",
        "\x1b[31m\n",
        "é" * 300,
        [],
        {},
        [[]],
        {"a": {}},
        [None],
        1e308,
    )
    return rng.choice(odd)


def each_for_a_while(make: Callable[[random.Random], bytes], path: Path, read: Callable[[Path], object]) -> None:
    """Write what `make` gives, and read it, until the time is over: nothing but a GandiagError may come of it."""
    started, count = time.monotonic(), 0
    while time.monotonic() - started < SECONDS:
        count += 1
        path.write_bytes(make(random.Random(f"{SEED} {path.name} {count}")))
        before = time.process_time()
        try:
            read(path)
        except GandiagError as error:
            assert "\n" not in str(error)
            assert error.exit_code == 2, str(error)
        except Exception as error:
            raise AssertionError(f"mutation {count} of {path.name}, seed {SEED}: {type(error).__name__}") from error
        assert time.process_time() - before < LONGEST, f"mutation {count} of {path.name}, seed {SEED} is slow"


def as_source(path: Path) -> None:
    from gandiag.evaluation.resolve import Access, open_source

    source = open_source(path, Access())
    source.read(0, min(source.info.size or 4, 64))


def inspected(path: Path) -> None:
    from gandiag.sources.inspection.file import inspect_file

    inspect_file(path).to_json()


def as_statistics(path: Path) -> None:
    from gandiag.statistics.statistics_file import is_statistics_file, read_statistics

    is_statistics_file(path)
    read_statistics(path, samples=100 if path.suffix == ".npz" else None)


def as_rows(path: Path) -> None:
    from gandiag.sources.latents import read_rows

    read_rows(path, "latents")


def as_weights(path: Path) -> None:
    from gandiag.sources.saved_weights import load_saved_weights

    load_saved_weights(path)


def as_result(path: Path) -> None:
    import gandiag
    from gandiag.core.result import Result

    found = Result.load(path)
    found.to_json()
    gandiag.gate(found, gandiag.Policy.from_toml('[[gate]]\nmetric = "fid"\nmax = 12.0\n')).to_json()
    comparison = gandiag.compare([path, path.with_name("other.json")], against=None)
    comparison.to_json()


def as_run(path: Path) -> None:
    import gandiag

    gandiag.diagnose(path)


def as_answers(path: Path) -> None:
    from gandiag.study.read import read_study

    read_study([path])


def as_policy(path: Path) -> None:
    import gandiag

    gandiag.Policy.load(path)


def as_recipe(path: Path) -> None:
    from reference_models.recipe import load_recipe

    load_recipe(str(path))


SOURCES = [
    name
    for name in GOOD
    if Path(name).suffix not in (".json", ".jsonl", ".toml", ".csv") and not name.startswith(("statistics", "fid"))
]
READS = {
    "rows": (as_rows, ("a.npy", "a.npz", "packed.npz", "tensor.pt", "a.safetensors")),
    "weights": (as_weights, ("state.pth", "legacy.pth", "weights.safetensors", "a.pt")),
    "statistics": (as_statistics, ("statistics.safetensors", "fid.npz")),
    "result": (as_result, ("result.json",)),
    "run": (as_run, ("run.jsonl", "losses.csv")),
    "answers": (as_answers, ("answers.json",)),
    "policy": (as_policy, ("policy.toml",)),
    "recipe": (as_recipe, ("recipe.toml",)),
}
CASES = [
    *(("source", as_source, name) for name in SOURCES),
    *((what, read, name) for what, (read, names) in READS.items() for name in names),
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("what", "read", "name"), CASES, ids=[f"{what}-{name}" for what, _, name in CASES])
def test_changed_bytes(good, tmp_path, what, read, name):
    content, other = (good / name).read_bytes(), (good / "a.npz").read_bytes()
    (tmp_path / "other.json").write_text(json.dumps(result()), encoding="utf-8")

    def both(path: Path) -> None:
        read(path)
        inspected(path)

    each_for_a_while(lambda rng: mutated(content, other, rng), tmp_path / name, both)


DOCUMENTS: dict[str, tuple[Callable[[Path], None], Any]] = {
    "result.json": (as_result, result()),
    "run.jsonl": (as_run, run_lines()),
    "answers.json": (as_answers, answers()),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_changed_values(tmp_path, name):
    read, document = DOCUMENTS[name]
    (tmp_path / "other.json").write_text(json.dumps(result()), encoding="utf-8")

    def make(rng: random.Random) -> bytes:
        changed = changed_value(document, rng)
        if name.endswith(".jsonl"):
            lines = changed if isinstance(changed, list) else [changed]
            return "".join(json.dumps(line) + "\n" for line in lines).encode()
        return json.dumps(changed).encode()

    each_for_a_while(make, tmp_path / name, read)


@pytest.mark.timeout(600)
def test_changed_headers_of_safetensors(good, tmp_path):
    content = (good / "statistics.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])

    def make(rng: random.Random) -> bytes:
        text = json.dumps(changed_value(header, rng)).encode()
        return struct.pack("<Q", len(text)) + text + content[8 + length :]

    def read(path: Path) -> None:
        for each in (as_statistics, as_source, as_weights, inspected):
            try:
                each(path)
            except GandiagError as error:
                assert error.exit_code == 2

    each_for_a_while(make, tmp_path / "a.safetensors", read)


@pytest.mark.timeout(600)
def test_changed_values_of_a_checkpoint(good, tmp_path):
    import io

    import torch

    from gandiag.sources.checkpoint import load_checkpoint
    from gandiag.sources.generator import checkpoint_source

    document = torch.load(good / "a.pt", weights_only=True)

    def make(rng: random.Random) -> bytes:
        buffer = io.BytesIO()
        torch.save(changed_value(document, rng), buffer)
        return buffer.getvalue()

    def read(path: Path) -> None:
        checkpoint_source(load_checkpoint(path), seed=0, device="cpu").read(0, 4)

    each_for_a_while(make, tmp_path / "a.pt", read)
