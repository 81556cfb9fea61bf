"""Hostile and broken inputs, through every command that may meet them: one clear line, soon, and nothing else.

The default tests run a part of the corpus through `gandiag score`; `-m slow` runs all of it through all commands.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from corpus import Case, cases, write_good

MOST_SECONDS = 10.0  # of CPU time, which other work on the machine does not lengthen
MOST_MEMORY = 2 << 30
FID = ["--metric", "fid", "--extractor", "pixels", "--no-cache"]
# One in so many of the corpus is in the default tests, beside what is named here.
PART = 30
NAMED = (
    "code-system.pt",
    "code-data.pkl.ts",
    "bomb.zip",
    "bomb.npz",
    "bomb.pt",
    "fifo",
    "zero.dev.npy",
    "endless.ts",
    "pickle-keys.pt",
)
HEAVY = ("code-pickle", "entries", "brackets", "lists", "bomb-json", "folder-of-many")


@dataclass(frozen=True)
class Place:
    """Where a test's files lie."""

    root: Path

    def good(self, name: str) -> str:
        return str(self.root / "good" / name)


def commands(place: Place) -> dict[str, Callable[[str], list[str]]]:
    """The command lines that take a file, by what the file is to them."""
    good = place.good
    return {
        "source": lambda path: ["score", path, "--against", good("a.npy"), "-n", "16", *FID],
        "against": lambda path: ["score", good("a.npy"), "--against", path, "-n", "16", *FID],
        "weights": lambda path: ["score", path, "--generator", "mlp", "--generator-config", MLP, "--against", "ring8"],
        "held out": lambda path: [
            "score",
            good("a.npy"),
            "--against",
            good("a.npy"),
            "--held-out",
            path,
            "--metric",
            "fld@pixels",
        ],
        "extractor": lambda path: [
            "score",
            good("a.npy"),
            "--against",
            good("a.npy"),
            "--extractor",
            path,
            "--no-cache",
        ],
        "extractor weights": lambda path: [
            *("score", good("a.npy"), "--against", good("a.npy"), "--extractor", "vgg16", "--weights", path)
        ],
        "noise": lambda path: ["score", good("a.ts"), "--noise", path, "--against", good("a.npy"), "-n", "16", *FID],
        "labels": lambda path: [
            "score",
            good("labelled.ts"),
            "--labels",
            path,
            "--classes",
            "4",
            "-n",
            "4",
            "--against",
            good("a.npy"),
            *FID,
        ],
        "config": lambda path: ["score", good("state.pth"), "--generator", "mlp", "--generator-config", path],
        "inspect": lambda path: ["inspect", path],
        "inspect json": lambda path: ["inspect", path, "--json", "-"],
        "compare": lambda path: ["compare", path, good("a.npy"), "--against", good("a.npy"), "-n", "16", *FID],
        "gate": lambda path: ["gate", path, "--policy", good("policy.toml"), "--against", good("a.npy"), *FID[2:]],
        "policy": lambda path: ["gate", good("result.json"), "--policy", path],
        "baseline": lambda path: ["gate", good("result.json"), "--policy", good("regression.toml"), "--baseline", path],
        "history": lambda path: [
            *("gate", good("result.json"), "--policy", good("regression.toml"), "--baseline", f"{path}@last")
        ],
        "gated run": lambda path: ["gate", "--run", path, "--policy", good("alerts.toml")],
        "diagnose": lambda path: ["diagnose", path, "--html", "report.html"],
        "thresholds": lambda path: ["diagnose", good("run.jsonl"), "--thresholds", path],
        "live": lambda path: ["live", path, "--once"],
        "sample": lambda path: ["sample", path, "--out", "samples.zip", "-n", "4"],
        "stats build": lambda path: [
            "stats",
            "build",
            path,
            "--out",
            "statistics",
            "--extractor",
            "pixels",
        ],
        "stats show": lambda path: ["stats", "show", path],
        "stats list": lambda path: ["stats", "list", path],
        "study make": lambda path: [
            "study",
            "make",
            path,
            "--against",
            good("a.npy"),
            "--out",
            "page.html",
            "--trials",
            "4",
        ],
        "study read": lambda path: ["study", "read", path],
        "train": lambda path: ["train", "--recipe", path, "--dry-run"],
        "resume": lambda path: ["train", "vanilla", "--steps", "2", "--resume", "--out", path, "--dry-run"],
    }


MLP = '{"latent_dim": 4, "shape": [2], "hidden": [8]}'
# What may be usable as such whatever the file was meant to be: a folder is listed, a sound file of another kind used.
LENIENT = {"inspect", "inspect json", "live", "stats list", "resume", "noise", "labels", "diagnose", "gated run"}


class Workshop:
    """The corpus on disk, and a process that runs command lines."""

    def __init__(self, root: Path) -> None:
        self.place = Place(root)
        self.root = root
        self.canary = root / "canary"
        write_good(root / "good")
        regression = '[[gate]]\nmetric = "fid"\nmax_regression = "5%"\n'
        (root / "good" / "regression.toml").write_text(regression, encoding="utf-8")
        (root / "good" / "alerts.toml").write_text('[[gate]]\nalert = "any"\n', encoding="utf-8")
        (root / "bad").mkdir()
        self.cases = cases(root / "good", self.canary)
        self._made: set[str] = set()
        self._folder = root / "run"
        for folder in ("work", "tmp", "cache"):
            (self._folder / folder).mkdir(parents=True)
        environment = {
            **os.environ,
            "TMPDIR": str(self._folder / "tmp"),
            "GANDIAG_CACHE": str(self._folder / "cache"),
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore",
            "COLUMNS": "200",
        }
        self._commands = commands(self.place)
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def made(self, case: Case) -> Path:
        """The case on disk."""
        path = self.root / "bad" / case.name
        if case.name not in self._made:
            case.make(path)
            self._made.add(case.name)
        return path

    def run(self, words: Sequence[str], stdin: str = os.devnull, wait: float = 45.0) -> dict[str, Any]:
        """How one command line ended."""
        job = {"words": list(words), "folder": str(self._folder), "stdin": stdin, "wait": wait}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def problems(self, case: Case, command: str) -> list[str]:
        """What is wrong with how a command met a case; what it wrote is removed."""
        ended = self.run(self._commands[command](str(self.made(case))))
        codes = {0, 1, 2, 4} if case.harmless or command in LENIENT else {2}
        return [f"{command} {case.name!r}: {problem}" for problem in [*judged(ended, codes), *self.traces(ended)]]

    def traces(self, ended: dict[str, Any]) -> Iterator[str]:
        """What a command left behind that it should not have."""
        if self.canary.exists():
            yield "CODE RAN"
            self.canary.rmdir() if self.canary.is_dir() else self.canary.unlink()
        temporary = list((self._folder / "tmp").glob("*gandiag*"))
        for path in [*(self._folder / "work").iterdir(), *temporary]:
            # A command that did its work may have written what it was asked for.
            if path in temporary or ended["code"] == 2:
                yield f"left {path}"
            if path.is_dir():
                import shutil

                shutil.rmtree(path)
            else:
                path.unlink()


def judged(ended: dict[str, Any], codes: set[int]) -> Iterator[str]:
    """What is wrong with how a command ended."""
    if ended["code"] is None:
        yield "HANGS"
        return
    if ended["code"] not in codes:
        yield f"code {ended['code']}, expected {sorted(codes)}: {ended['err'].strip()[-300:]!r}"
    if ended["cpu"] > MOST_SECONDS:
        yield f"took {ended['cpu']:.1f} s"
    if ended["peak"] > MOST_MEMORY:
        yield f"took {ended['peak'] / 2**30:.2f} GiB"
    if "Traceback" in ended["err"] and "nTraceback" not in ended["err"]:
        yield "TRACEBACK"
    lines = [line for line in ended["err"].splitlines() if not line.startswith("warning: ")]
    if ended["code"] == 2 and (len(lines) != 1 or not lines[0].startswith("error: ")):
        yield f"said {lines[:4]}"
    if ended["code"] == 2 and ended["out"]:
        yield f"wrote {ended['out'][:100]!r} to stdout"
    if any(not char.isprintable() and char != "\n" for char in ended["err"] + ended["out"]):
        yield f"control characters: {ended['err'][:200]!r} {ended['out'][:200]!r}"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory) -> Iterator[Workshop]:
    built = Workshop(tmp_path_factory.mktemp("hostile"))
    yield built
    built.close()
    for path in (built.root / "bad").glob("unreadable*/**/*"):
        path.chmod(0o700)


def quick(found: Sequence[Case]) -> list[Case]:
    chosen = [case for number, case in enumerate(found) if number % PART == 0 or case.name in NAMED]
    return [case for case in chosen if not case.name.startswith(HEAVY)]


def test_quick(workshop):
    """A part of the corpus, scored, and told by the command that must never run anything."""
    chosen = quick(workshop.cases)
    assert len(chosen) > 25
    assert [problem for case in chosen for problem in workshop.problems(case, "source")] == []
    assert [problem for case in chosen[::4] for problem in workshop.problems(case, "inspect json")] == []


def test_every_command_reads_its_file(workshop):
    """What is refused is the file, and not a word beside it."""
    (workshop.root / "bad" / "nonsense.pt").write_bytes(bytes(range(256)) * 20)
    for name, command in commands(workshop.place).items():
        ended = workshop.run(command(str(workshop.root / "bad" / "nonsense.pt")))
        assert ended["code"] == 2 or name.startswith("inspect"), name
        assert "nonsense.pt" in ended["err"] + ended["out"], f"{name}: {ended['err']}"


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", commands(Place(Path())))
def test_everything(workshop, command):
    """All of the corpus through one command."""
    assert [problem for case in workshop.cases for problem in workshop.problems(case, command)] == []


def test_the_corpus_is_not_changed_and_nothing_escapes(workshop):
    """After the tests above: what they were given is as it was, and there is nothing beside it."""
    for case in quick(workshop.cases)[::6]:
        workshop.made(case)
    before = _listing(workshop.root / "bad")
    for case in quick(workshop.cases)[::6]:
        workshop.problems(case, "compare")
    assert _listing(workshop.root / "bad") == before
    assert {path.name for path in workshop.root.iterdir()} <= {"good", "bad", "run", "canary"}
    assert not workshop.canary.exists()
    assert not Path("/tmp/escaped.png").exists()
    assert not list(workshop.root.parent.glob("escaped*"))


def _listing(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in folder.iterdir():
        status = path.lstat()
        found[path.name] = status.st_size, status.st_mtime_ns
    return found


@pytest.mark.filterwarnings("ignore")
def test_the_canary_sings(tmp_path):
    """The code in the corpus would do what the tests look for, if it ran."""
    import pickle

    from corpus import Runs

    for how in ("system", "eval", "exec", "open", "mkdir"):
        canary = tmp_path / how
        pickle.loads(pickle.dumps(Runs(canary, how)))  # noqa: S301 - it is our own
        assert canary.exists()


STREAMS = {
    "yes": "yes",
    "zeros": "cat /dev/zero",
    "noise": "cat /dev/urandom",
    "nothing": "true",
    "a head and zeros": "printf 'PK\\003\\004'; head -c 30000000 /dev/zero",
    "an array that never ends": "printf '\\223NUMPY\\001\\000v\\000'; head -c 30000000 /dev/zero",
    "an empty tar": "head -c 10240 /dev/zero",
    "a packed bomb": "cat {bad}/bomb.tar.gz",
    "code": "cat {bad}/code-system.pt",
}


@pytest.mark.parametrize("name", STREAMS)
def test_streams(workshop, name):
    """Standard input is refused as soon as it can be told that it is no file."""
    for case in workshop.cases:
        if case.name in ("bomb.tar.gz", "code-system.pt"):
            workshop.made(case)
    fifo = workshop.root / "run" / "stream"
    fifo.unlink(missing_ok=True)
    os.mkfifo(fifo)
    command = STREAMS[name].replace("{bad}", str(workshop.root / "bad"))
    writer = subprocess.Popen(["sh", "-c", f"({command}) 2>/dev/null > {fifo}"])
    try:
        ended = workshop.run(["score", "-", "--against", workshop.place.good("a.npy"), *FID], stdin=str(fifo))
    finally:
        writer.kill()
        writer.wait()
    assert [*judged(ended, {2}), *workshop.traces(ended)] == []


def test_a_file_that_changes_while_it_is_read(tmp_path):
    """What was opened and then overwritten, cut short or removed gives an error and no other samples."""
    import numpy as np
    from corpus import IMAGES, png

    from gandiag.core.errors import GandiagError
    from gandiag.evaluation.resolve import Access, open_source

    def folder(path: Path) -> None:
        path.mkdir()
        for number, image in enumerate(IMAGES):
            (path / f"{number}.png").write_bytes(png(image))

    makes: dict[str, Callable[[Path], object]] = {
        "a.npy": lambda path: np.save(path, IMAGES[:, None]),
        "a.npz": lambda path: np.savez(path, IMAGES[..., None]),
        "a.zip": lambda path: _zipped(path, [(f"{n}.png", png(image)) for n, image in enumerate(IMAGES)]),
        "folder": folder,
    }
    for name, make in makes.items():
        for change in ("cut", "overwritten"):
            path = tmp_path / change / name
            path.parent.mkdir(exist_ok=True)
            make(path)
            source = open_source(path, Access())
            for file in [path] if path.is_file() else list(path.iterdir()):
                content = file.read_bytes()
                file.write_bytes(content[: len(content) // 2] if change == "cut" else content[::-1])
            with pytest.raises(GandiagError):
                source.read(0, 16)


def _zipped(path: Path, entries: Sequence[tuple[str, bytes]]) -> None:
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)


def test_a_cache_that_a_stranger_wrote_to(workshop, tmp_path):
    """Entries of the cache of features that are hostile are computed again, with a warning."""
    good = workshop.place.good("a.npy")
    words = ["score", good, "--against", good, "-n", "16", "--cache", str(tmp_path / "cache"), *FID[:-1], "--json", "-"]
    first = workshop.run(words)
    assert first["code"] == 0, first["err"]
    entries = list((tmp_path / "cache").glob("*.safetensors"))
    assert entries
    names = ("code-bare.safetensors", "length-lying.safetensors", "fifo.safetensors", "nested.safetensors")
    hostile = [case for case in workshop.cases if case.name in names]
    assert len(hostile) == len(names)
    for case in hostile:
        for entry in entries:
            entry.unlink(missing_ok=True)
            case.make(entry)
        ended = workshop.run(words)
        assert [*judged(ended, {0}), *workshop.traces(ended)] == [], case.name
        assert json.loads(ended["out"])["scores"] == json.loads(first["out"])["scores"]


def test_a_program_that_prints_leaves_the_json_alone(workshop):
    talker = next(case for case in workshop.cases if case.name == "talker.ts")
    good = workshop.place.good("a.npy")
    ended = workshop.run(["score", str(workshop.made(talker)), "--against", good, "-n", "16", *FID, "--json", "-"])
    assert list(judged(ended, {0})) == []
    assert json.loads(ended["out"])["schema"] == "gandiag.result/1"


def test_a_program_without_an_end_may_be_let_loose(workshop, monkeypatch):
    """The limits of a first sample can be lifted, by whoever trusts the file."""
    import torch

    from gandiag.core.abandoned import abandoned
    from gandiag.core.errors import HostileFileError
    from gandiag.statistics import foreign

    def slow(noise: torch.Tensor) -> torch.Tensor:
        import time

        time.sleep(0.3)
        return noise

    monkeypatch.setattr(foreign, "SECONDS", 0.1)
    with pytest.raises(HostileFileError, match=r"over 0.1 s.*GANDIAG_UNBOUNDED"):
        foreign.Program(slow, "it")(torch.ones(2, 4))
    assert abandoned()
    monkeypatch.setenv("GANDIAG_UNBOUNDED", "1")
    assert foreign.Program(slow, "it")(torch.ones(2, 4)).shape == (2, 4)
