"""One pass over a source: its samples are made or read once, and the bank keeps what the metrics need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from gandiag.core.errors import InputError, shown
from gandiag.core.modes import Modes
from gandiag.core.protocols import ChannelDataset, Dataset, Extracted, Extractor, Source
from gandiag.evaluation.batches import Batch, batches
from gandiag.evaluation.partners import PARTNERS, Partners
from gandiag.evaluation.paths import path_lengths
from gandiag.statistics import collective
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.grouped_moments import MomentsAccumulator
from gandiag.statistics.rows import Rows

BATCH = 512
READ = frozenset({"images", "labels"}) | PARTNERS  # heads that come from sources and not from an extractor


@dataclass(frozen=True)
class Task:
    """What is wanted of one extractor.

    Attributes:
        extractor: None where only the samples themselves are wanted.
        heads: how many rows of each head, fields of a FeatureBank; of moments, how many samples go into them.
    """

    extractor: Extractor | None
    heads: Mapping[str, int]


def extract(
    source: Source,
    tasks: Mapping[str, Task],
    samples: int,
    *,
    partners: Partners | None = None,
    batch_size: int = BATCH,
    device: str = "cpu",
    advance: Callable[[int], None] = lambda count: None,
    warn: Callable[[str], None] = lambda message: None,
) -> dict[str, FeatureBank]:
    """The banks of the first `samples` samples, one for each task.

    Where several processes run, each takes its share of the batches, and all get all of the banks.

    Args:
        source: what to read.
        tasks: by name, which is the name of the bank too.
        partners: what goes with each sample.
        samples: how many there are to be; a head of which fewer rows are wanted stops there.
        batch_size: samples at a time; halved where memory runs out.
        device: where the extractors compute.
        advance: told how many more samples are done.
        warn: told what the user should know.

    Raises:
        InputError: a sample cannot be made or read, or all samples are the same.
    """
    keepers = {name: _Keeper(task, source, batch_size, partners or Partners()) for name, task in tasks.items()}
    last = min(samples, max((rows for task in tasks.values() for rows in task.heads.values()), default=0))
    reading = any(keeper.reads for keeper in keepers.values())
    sameness = _Sameness()
    mine = collective.share(-(-last // batch_size))
    start, stop = mine.start * batch_size, min(mine.stop * batch_size, last)

    def work(batch: Batch) -> dict[str, Extracted | None]:
        return {name: keeper.look(batch) for name, keeper in keepers.items()}

    for batch, extracted in batches(source if reading else None, work, start, stop, batch_size, device, warn):
        if batch.samples is not None:
            sameness.look(batch.samples)
        for name, keeper in keepers.items():
            keeper.keep(batch, extracted[name])
        advance((batch.stop - batch.start) * collective.world())
    settle = getattr(source, "settle", None)
    if settle is not None:
        settle()
    if reading and last > 1 and not sameness.anywhere():
        message = f"all {last} samples of {shown(source.info.name)} are the same"
        raise InputError(f"{message}: a constant output has no distribution to score")
    modes = source.modes if isinstance(source, Dataset) else None
    return {name: keeper.bank(modes) for name, keeper in keepers.items()}


class _Keeper:
    """Collects the heads of one task."""

    def __init__(self, task: Task, source: Source, batch_size: int, partners: Partners) -> None:
        self._task, self._source, self._partners = task, source, partners
        self._kept: dict[str, Rows] = {}
        self._moments: dict[str, MomentsAccumulator] = {}
        for head, rows in task.heads.items():
            if head in ("moments", "spatial_moments"):
                self._moments[head] = MomentsAccumulator(rows)
            else:
                self._kept[head] = Rows()
        self._base = _base(source, task, batch_size) if _by_channels(source, task) else None

    @property
    def reads(self) -> bool:
        """Whether it looks at samples, and not only at where a stack's channels are from."""
        return self._base is None or bool(self._kept.keys() & ({"images", "paths"} | PARTNERS))

    def look(self, batch: Batch) -> Extracted | None:
        """What the extractor gives for a batch that any of its heads still wants."""
        extractor = self._task.extractor
        wanted = max((rows for head, rows in self._task.heads.items() if head not in READ | {"paths"}), default=0)
        if extractor is None or batch.start >= wanted:
            return None
        if self._base is not None:
            return _gathered(self._source, self._base, batch.start, batch.stop)
        return extractor(cast(Tensor, batch.samples))

    def keep(self, batch: Batch, found: Extracted | None) -> None:
        """Put a batch's rows where they are wanted."""
        for head, rows in self._task.heads.items():
            count = min(batch.stop, rows) - batch.start
            if count <= 0:
                continue
            values = self._values(head, batch, found)
            if values is None:
                continue
            if head in self._moments:
                self._moments[head].add(values[:count], batch.start)
            else:
                # A part of a batch would keep the whole of it alive.
                self._kept[head].append(values if count == len(values) else values[:count].clone())

    def bank(self, modes: Modes | None) -> FeatureBank:
        """All that was kept, by all processes."""
        rows = {head: collective.gather_rows(kept) for head, kept in self._kept.items()}
        moments = {
            head: collective.gather_moments(found.result() if found.seen else None)
            for head, found in self._moments.items()
        }
        labels, paths = rows.get("labels"), rows.get("paths")
        return FeatureBank(
            features=rows.get("features"),
            logits=rows.get("logits"),
            images=rows.get("images"),
            labels=labels.tensor() if labels else None,
            paths=paths.tensor() if paths else None,
            inputs=rows.get("inputs") or None,
            targets=rows.get("targets") or None,
            cycled=rows.get("cycled") or None,
            moments=moments.get("moments"),
            spatial_moments=moments.get("spatial_moments"),
            modes=modes,
        )

    def _values(self, head: str, batch: Batch, found: Extracted | None) -> Tensor | None:
        if head == "images":
            return batch.samples
        if head in PARTNERS:
            return self._partners.read(head, batch)
        if head == "labels":
            return labels_of(self._source, batch.start, batch.stop)
        if head == "paths":
            return path_lengths(self._source, cast(Extractor, self._task.extractor), batch.start, batch.stop)
        if found is None:
            return None
        return {
            "features": found.features,
            "moments": found.features,
            "logits": found.logits,
            "spatial_moments": found.spatial,
        }[head]


def labels_of(source: Source, start: int, stop: int) -> Tensor | None:
    """The classes of a source's samples, where it knows them."""
    labels: Callable[[int, int], Tensor | None] | None = getattr(source, "labels", None)
    return None if labels is None else labels(start, stop)


@dataclass
class _Sameness:
    """Whether any sample has differed from the first; asks a GPU only at the end."""

    first: Tensor | None = None
    varied: Tensor = field(default_factory=lambda: torch.tensor(False))

    def look(self, batch: Tensor) -> None:
        if self.first is None:
            self.first = batch[:1].clone()
            self.varied = self.varied.to(batch.device)
        if batch.device.type == "cpu" and bool(self.varied):
            return
        self.varied = self.varied | (batch != self.first).any()

    def anywhere(self) -> bool:
        """Whether the samples of all processes are more than one."""
        if collective.world() == 1:
            return bool(self.varied)
        firsts = torch.empty(0) if self.first is None else self.first.flatten(1).float().cpu()
        together = collective.gather(firsts)
        return not collective.agree(not bool(self.varied)) or bool((together != together[:1]).any())


def _by_channels(source: Source, task: Task) -> bool:
    return task.extractor is not None and task.extractor.info.per_channel and isinstance(source, ChannelDataset)


def _base(source: Source, task: Task, batch_size: int) -> Extracted:
    """Features of every image that a stack can be made of: each is looked at once, however many stacks it is in."""
    base, extractor = cast(ChannelDataset, source).base, cast(Extractor, task.extractor)
    size = base.info.size or 0
    found = [extractor(base.read(start, min(start + batch_size, size))) for start in range(0, size, batch_size)]
    logits = [part.logits for part in found if part.logits is not None] if "logits" in task.heads else []
    return Extracted(torch.cat([part.features for part in found]), torch.cat(logits) if logits else None)


def _gathered(source: Source, base: Extracted, start: int, stop: int) -> Extracted:
    index = cast(ChannelDataset, source).indices(start, stop).to(base.features.device)
    logits = None if base.logits is None else base.logits[index].flatten(1, 2)
    return Extracted(base.features[index].flatten(1), logits)
