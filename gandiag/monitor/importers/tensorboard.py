"""TensorBoard event folders, read with tensorboard's own reader, which unpickles nothing; needs tensorboard."""

from __future__ import annotations

import itertools
import logging
import os
from pathlib import Path
from typing import Any, NamedTuple

from gandiag.core.errors import InputError, MissingExtraError, shown
from gandiag.monitor.importers.series import Log, Series, begins_anew, goings_back, undone_note

PATTERN = "*tfevents*"
MOST_BYTES = 2 << 30


class Logged(NamedTuple):
    """One scalar as it was logged."""

    step: int
    value: float
    time: float


def event_folders(path: Path) -> list[Path]:
    """The folders under `path` that hold event files."""
    return sorted({file.parent for file in path.rglob(PATTERN) if file.is_file()})


def read_events(path: str | os.PathLike[str]) -> Log:
    """All scalars of a folder of event files and of the folders in it, or of one event file.

    Where steps begin anew in each epoch, rows are counted in their place.

    Raises:
        InputError: there are none, or they are damaged.
        MissingExtraError: tensorboard is not installed.
    """
    path = Path(path)
    places = event_folders(path) if path.is_dir() else [path]
    if not places:
        raise InputError(f"{shown(path)} holds no event files of TensorBoard (*tfevents*)")
    size = sum(file.stat().st_size for place in places for file in _files(place))
    if size > MOST_BYTES:
        raise InputError(f"{shown(path)} holds {size:,} bytes of events, at most {MOST_BYTES:,} are read; name one run")
    series: list[Series] = []
    notes: list[str] = []
    for place in places:
        run = "" if place == path else str(place.relative_to(path))
        scalars = {tag if not run else f"{run}/{tag}": logged for tag, logged in _scalars(place).items()}
        notes += _count_rows(scalars, len(_files(place)))
        series += [_series(name, run, logged) for name, logged in scalars.items()]
    if not series:
        raise InputError(f"{shown(path)} holds no scalars, or its event files are damaged; log losses by add_scalar")
    undone = undone_note(series)
    return Log(series, notes=[*notes, undone] if undone else notes)


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else [file for file in place.glob(PATTERN) if file.is_file()]


def _count_rows(scalars: dict[str, list[Logged]], files: int) -> list[str]:
    """Put rows for steps that begin anew in each epoch: a row is a step of one epoch, whichever scalars it has.

    Each run has a file of its own, so that as many goings back as there are files are no mere repetitions of the run.
    """
    places: dict[str, list[tuple[int, int]]] = {}
    notes: list[str] = []
    for name, logged in scalars.items():
        steps = [one.step for one in logged]
        if begins_anew(steps, returns=max(2, files)):
            epochs = itertools.accumulate((b < a for a, b in itertools.pairwise(steps)), initial=0)
            places[name] = list(zip(epochs, steps, strict=True))
            if not notes:  # one name says enough
                notes = [f"steps of {shown(name)} begin anew {len(goings_back(steps))} times: rows are counted"]
    rows = {place: row for row, place in enumerate(sorted(set().union(*places.values())), 1)}
    for name, of_name in places.items():
        logged = scalars[name]
        scalars[name] = [one._replace(step=rows[place]) for one, place in zip(logged, of_name, strict=True)]
    return notes


def _series(name: str, run: str, logged: list[Logged]) -> Series:
    series = Series(name, run)
    for one in logged:
        series.add(*one)
    return series


def _scalars(place: Path) -> dict[str, list[Logged]]:
    try:
        from tensorboard.backend.event_processing import event_accumulator as events
        from tensorboard.util import tensor_util
    except ImportError as error:
        raise MissingExtraError("reading a TensorBoard folder", "tensorboard", "tensorboard") from error
    scalars: dict[str, list[Logged]] = {}
    most: dict[str, int] = {events.SCALARS: 0, events.TENSORS: 0}  # 0 is all
    one_of_each = {kind: 1 for kind in events.DEFAULT_SIZE_GUIDANCE if kind not in most}
    talk = logging.getLogger("tensorboard")
    level = talk.level
    talk.setLevel(logging.CRITICAL)  # of a file that a kill cut short it says so on stderr
    try:
        read: Any = events.EventAccumulator(str(place), size_guidance={**one_of_each, **most})
        read.Reload()
        for tag in read.Tags()["scalars"]:
            scalars[tag] = [
                Logged(_step(place, event.step), float(event.value), float(event.wall_time))
                for event in read.Scalars(tag)
            ]
        for tag in read.Tags()["tensors"]:  # scalars as TensorFlow 2 writes them
            if read.SummaryMetadata(tag).plugin_data.plugin_name != "scalars":
                continue
            for event in read.Tensors(tag):
                value = float(tensor_util.make_ndarray(event.tensor_proto).item())
                scalars.setdefault(tag, []).append(Logged(_step(place, event.step), value, float(event.wall_time)))
        return scalars
    except InputError:
        raise
    except Exception as error:  # of a damaged file: anything, from its decoders
        text = str(error).partition("\n")[0]
        raise InputError(f"the event files in {shown(place)} are damaged: {type(error).__name__}: {text}") from error
    finally:
        talk.setLevel(level)


def _step(place: Path, step: int) -> int:
    if not 0 <= step < 1 << 62:
        raise InputError(f"the event files in {shown(place)} have the step {step}; expected 0 or more")
    return int(step)
