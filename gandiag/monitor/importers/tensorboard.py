"""TensorBoard event folders, read with tensorboard's own reader, which unpickles nothing; needs tensorboard."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gandiag.core.errors import InputError, MissingExtraError, shown
from gandiag.monitor.importers.series import Series

PATTERN = "*tfevents*"
MOST_BYTES = 2 << 30


def event_folders(path: Path) -> list[Path]:
    """The folders under `path` that hold event files."""
    return sorted({file.parent for file in path.rglob(PATTERN) if file.is_file()})


def read_events(path: str | os.PathLike[str]) -> list[Series]:
    """All scalars of a folder of event files and of the folders in it, or of one event file.

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
    series = [one for place in places for one in _scalars(path, place)]
    if not series:
        raise InputError(f"{shown(path)} holds no scalars, or its event files are damaged; log losses by add_scalar")
    return series


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else [file for file in place.glob(PATTERN) if file.is_file()]


def _scalars(root: Path, place: Path) -> Iterable[Series]:
    try:
        from tensorboard.backend.event_processing import event_accumulator as events
        from tensorboard.util import tensor_util
    except ImportError as error:
        raise MissingExtraError("reading a TensorBoard folder", "tensorboard", "tensorboard") from error
    run = "" if place == root else str(place.relative_to(root))
    most: dict[str, int] = {events.SCALARS: 0, events.TENSORS: 0}  # 0 is all
    one_of_each = {kind: 1 for kind in events.DEFAULT_SIZE_GUIDANCE if kind not in most}
    talk = logging.getLogger("tensorboard")
    level = talk.level
    talk.setLevel(logging.CRITICAL)  # of a file that a kill cut short it says so on stderr
    try:
        read: Any = events.EventAccumulator(str(place), size_guidance={**one_of_each, **most})
        read.Reload()
        for tag in read.Tags()["scalars"]:
            one = Series(tag if not run else f"{run}/{tag}", run)
            for event in read.Scalars(tag):
                one.add(_step(place, event.step), float(event.value), float(event.wall_time))
            yield one
        for tag in read.Tags()["tensors"]:  # scalars as TensorFlow 2 writes them
            if read.SummaryMetadata(tag).plugin_data.plugin_name != "scalars":
                continue
            one = Series(tag if not run else f"{run}/{tag}", run)
            for event in read.Tensors(tag):
                value = tensor_util.make_ndarray(event.tensor_proto)
                one.add(_step(place, event.step), float(value.item()), float(event.wall_time))
            yield one
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
