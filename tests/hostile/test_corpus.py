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
PART = 9
CODE_AND_MORE = ("code-", "bomb", "fifo", "zero.dev", "endless", "parse-", "pickle-keys", "blank")


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
        "held out": lambda path: ["score", good("a.npy"), "--against", good("a.npy"), "--held-out", path, *FID],
        "extractor": lambda path: [
            "score",
            good("a.npy"),
            "--against",
            good("a.npy"),
            "--extractor",
            path,
            "--no-cache",
        ],
        "extractor weights": lambda path: ["score", good("a.npy"), "--extractor", "vgg16", "--weights", path],
        "noise": lambda path: ["score", good("a.ts"), "--noise", path, "--against", good("a.npy"), "-n", "16", *FID],
        "labels": lambda path: [
            "score",
            good("a.ts"),
            "--labels",
            path,
            "--classes",
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
            "--no-cache",
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
        self._process.stdin.close()
        self._process.wait(30)

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
    return [case for number, case in enumerate(found) if number % PART == 0 or case.name.startswith(CODE_AND_MORE)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_part_of_the_corpus_as_a_source(workshop):
    problems = [problem for case in quick(workshop.cases) for problem in workshop.problems(case, "source")]
    assert not problems, "\n".join(problems)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("command", list(commands(Place(Path()))))
def test_the_corpus_through_a_command(workshop, command):
    problems = [problem for case in workshop.cases for problem in workshop.problems(case, command)]
    assert not problems, "\n".join(problems)
