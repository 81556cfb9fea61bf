"""One pass over a source: its samples are made or read once, and the bank keeps what the metrics need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from gandiag.core.errors import InputError, shown
from gandiag.core.modes import Modes
from gandiag.core.protocols import ChannelDataset, Dataset, Extracted, Extractor, Source
from gandiag.statistics.feature_bank import FeatureBank

BATCH = 512


@dataclass(frozen=True)
class Task:
    """What is wanted of one extractor: `features`, `logits` or both."""

    extractor: Extractor
    heads: frozenset[str]


def extract(
    source: Source,
    tasks: Mapping[str, Task],
    samples: int,
    *,
    batch_size: int = BATCH,
    advance: Callable[[int], None] = lambda count: None,
) -> dict[str, FeatureBank]:
    """The banks of the first `samples` samples, one for each task; `advance` is told how many more samples are done.

    Raises:
        InputError: a sample cannot be made or read, or all samples are the same.
    """
    stacked = {name: task for name, task in tasks.items() if _by_channels(source, task)}
    read = {name: task for name, task in tasks.items() if name not in stacked}
    parts: dict[str, list[Extracted]] = {name: [] for name in tasks}
    bases = {name: _base(source, task, batch_size) for name, task in stacked.items()}
    sameness = _Sameness()
    for start in range(0, samples, batch_size):
        stop = min(start + batch_size, samples)
        if read:
            batch = source.read(start, stop)
            sameness.look(batch)
            for name, task in read.items():
                parts[name].append(_kept(task.extractor(batch), task.heads))
        for name in stacked:
            parts[name].append(_gathered(source, bases[name], start, stop))
        advance(stop - start)
    if read and samples > 1 and not sameness.varied:
        message = f"all {samples} samples of {shown(source.info.name)} are the same"
        raise InputError(f"{message}: a constant output has no distribution to score")
    modes = source.modes if isinstance(source, Dataset) else None
    return {name: _bank(parts[name], task.heads, modes) for name, task in tasks.items()}


class _Sameness:
    """Whether any sample has differed from the first."""

    def __init__(self) -> None:
        self.varied = False
        self._first: Tensor | None = None

    def look(self, batch: Tensor) -> None:
        if self._first is None:
            self._first = batch[:1].clone()
        self.varied = self.varied or bool((batch != self._first).any())


def _by_channels(source: Source, task: Task) -> bool:
    return task.extractor.info.per_channel and isinstance(source, ChannelDataset)


def _base(source: Source, task: Task, batch_size: int) -> Extracted:
    """Features of every image that a stack can be made of: each is looked at once, however many stacks it is in."""
    base = cast(ChannelDataset, source).base
    size = base.info.size or 0
    batches = (base.read(start, min(start + batch_size, size)) for start in range(0, size, batch_size))
    return _joined([_kept(task.extractor(batch), task.heads) for batch in batches])


def _gathered(source: Source, base: Extracted, start: int, stop: int) -> Extracted:
    index = cast(ChannelDataset, source).indices(start, stop).to(base.features.device)
    logits = None if base.logits is None else base.logits[index].flatten(1, 2)
    return Extracted(base.features[index].flatten(1), logits)


def _kept(found: Extracted, heads: frozenset[str]) -> Extracted:
    # Not an empty slice, which would keep the whole batch alive behind it.
    features = found.features if "features" in heads else found.features.new_empty(len(found.features), 0)
    return Extracted(features, found.logits if "logits" in heads else None)


def _joined(parts: list[Extracted]) -> Extracted:
    logits = [part.logits for part in parts if part.logits is not None]
    return Extracted(torch.cat([part.features for part in parts]), torch.cat(logits) if logits else None)


def _bank(parts: list[Extracted], heads: frozenset[str], modes: Modes | None) -> FeatureBank:
    found = _joined(parts)
    return FeatureBank(features=found.features if "features" in heads else None, logits=found.logits, modes=modes)
