"""What the user names: Results to read, sources to score, and folders or globs that are sweeps of a run."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.comparison.table import Unit
from gandiag.core.errors import InputError, UsageError, printable, shown
from gandiag.core.result import Result
from gandiag.statistics.pairing import read_pairing

RESULT = ".json"
CHECKPOINTS = (".pt", ".pth", ".ckpt", ".pt2", ".onnx", ".safetensors")
RUN_CHECKPOINT = "checkpoint.pt"  # what a run folder calls its last one
NAMED_STEP = re.compile(r"step[-_=]?(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Given:
    """One thing to compare.

    Attributes:
        what: a Result, or whatever `gandiag.score` takes.
        path: of the file it was named by, if by any.
        run: the folder or glob that it was found by, whose checkpoints may be a sweep.
        unit: what the sweep goes by: training steps, or releases of a history.
    """

    what: Any
    path: str | None = None
    run: str | None = None
    unit: Unit = "step"

    @property
    def result(self) -> Result | None:
        """The Result, where it is one."""
        return self.what if isinstance(self.what, Result) else None


def expand(sources: Iterable[Any]) -> list[Given]:
    """Each source, and each of those that a folder of checkpoints or a glob stands for; Result files are read.

    Raises:
        InputError: a file is no Result, or a glob finds nothing.
        UsageError: no source is given.
    """
    if isinstance(sources, str | os.PathLike | Result):
        sources = [sources]
    found = [given for source in sources for given in _expanded(source)]
    if not found:
        raise UsageError("there is nothing to compare; give checkpoints, folders, arrays, datasets or saved Results")
    return found


def step_of(given: Given, result: Result) -> int | None:
    """The training step: what the source says, else the number after "step" in the file's name, else the last there.

    A saved Result's name may end in any number, so that one is not taken.
    """
    step = result.source.get("step")
    if isinstance(step, int) and not isinstance(step, bool):
        return step
    if given.path is None:
        return None
    name = Path(given.path).stem
    named = NAMED_STEP.search(name)
    if named is not None:
        return int(named[1])
    if given.result is not None:
        return None
    numbers = re.findall(r"\d+", name)
    return int(numbers[-1]) if numbers else None


def names_of(given: Sequence[Given], results: Sequence[Result]) -> list[str]:
    """What to call each source: its own name; where two have one, the file it was named by; else numbered."""
    names = [printable(str(result.source.get("name") or "unnamed")) for result in results]
    repeated = {name for name in names if names.count(name) > 1}
    names = [
        printable(each.path) if name in repeated and each.path is not None else name
        for name, each in zip(names, given, strict=True)
    ]
    unique: list[str] = []
    for name in names:
        number, candidate = 1, name
        while candidate in unique:
            number += 1
            candidate = f"{name} ({number})"
        unique.append(candidate)
    return unique


def _expanded(source: Any) -> list[Given]:
    if isinstance(source, Given):
        return [source]
    if not isinstance(source, str | os.PathLike):
        return [_checked(Given(source))]
    text = os.fspath(source)
    path = Path(text)
    if path.is_dir():
        return _of_folder(path)
    if not path.exists() and glob.has_magic(text):
        files = sorted((Path(name) for name in glob.glob(text, recursive=True)), key=_natural)  # noqa: PTH207 - of any root
        if not files:
            raise InputError(f"no file is found by {shown(text)}; check the pattern and the folder")
        return [_of_file(file, text) for file in files]
    return [_of_file(path, None)]


def _of_folder(folder: Path) -> list[Given]:
    """The checkpoints in it, or its saved Results; else the folder itself, which may hold images."""
    try:
        files = [file for file in folder.iterdir() if file.is_file()]
    except OSError as error:
        raise InputError(f"cannot read the folder {shown(folder)}: {error.strerror or error}") from error
    checkpoints = sorted((file for file in files if file.suffix.lower() in CHECKPOINTS), key=_natural)
    if len(checkpoints) == 1 and checkpoints[0].name == RUN_CHECKPOINT:
        return [_of_file(checkpoints[0], None)]
    if checkpoints:
        return [_of_file(file, str(folder)) for file in checkpoints]
    kinds = {file.suffix.lower() for file in files if not file.name.startswith(".")}
    if kinds == {RESULT}:
        return [_of_file(file, str(folder)) for file in sorted(files, key=_natural)]
    return [Given(str(folder), str(folder))]


def _of_file(path: Path, run: str | None) -> Given:
    if path.suffix.lower() == RESULT:
        return _checked(Given(Result.load(path), str(path), run))
    return Given(str(path), str(path), run)


def _checked(given: Given) -> Given:
    """The same, where a Result's evidence can be read."""
    if given.result is not None:
        for name, score in given.result.scores.items():
            try:
                read_pairing(score.details)
            except InputError as error:
                where = given.path or given.result.source.get("name")
                raise InputError(f"{shown(where)} is not a Result of gandiag: {name}: {error}") from error
    return given


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """A key by which `step-9` comes before `step-10`."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", str(path))]
