"""Both sides' banks: each side is read once, for what all metrics together need of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gandiag.core.errors import UsageError
from gandiag.core.modes import Modes
from gandiag.core.protocols import Dataset, Extractor, Progress, ProgressCallback, Source
from gandiag.evaluation import plan
from gandiag.evaluation.extract import Task, extract
from gandiag.statistics.feature_bank import FeatureBank


@dataclass(frozen=True)
class Sides:
    """The banks of both sides, by extractor; the real side lacks those that no metric needs."""

    fake: Mapping[str, FeatureBank]
    real: Mapping[str, FeatureBank]
    modes: Modes | None

    @property
    def real_samples(self) -> int:
        """How many samples of the reference were used."""
        return max((len(bank) for bank in self.real.values()), default=0)


def modes_of(real: Source | None) -> Modes | None:
    """What the reference's modes are, if it is a dataset that has any."""
    return real.modes if isinstance(real, Dataset) else None


def extract_sides(
    requests: Sequence[plan.Request],
    extractors: Mapping[str, Extractor],
    fake: Source,
    real: Source | None,
    count: int,
    batch_size: int,
    progress: ProgressCallback | None,
) -> Sides:
    """Extract the reference first, since it is what may be missing or not fit, then the samples.

    Raises:
        GandiagError: a side cannot be read, has too few samples, or its extractor does not give what a metric needs.
    """
    modes = modes_of(real)
    fake_tasks = _tasks(requests, extractors, lambda request: request.heads(modes))
    real_tasks = _tasks(requests, extractors, lambda request: request.real_heads)
    _check_heads(requests, extractors, fake_tasks)
    real_count = 0 if real is None or not real_tasks else (real.info.size or count)
    if real is not None and real_tasks:
        plan.check_samples(requests, real_count, real.info.name)
    real_banks = {}
    if real is not None and real_tasks:
        meter = Meter(progress, "reference", real_count)
        real_banks = extract(real, real_tasks, real_count, batch_size=batch_size, advance=meter)
    meter = Meter(progress, "samples", count)
    fake_banks = extract(fake, fake_tasks, count, batch_size=batch_size, advance=meter)
    return Sides(fake_banks, real_banks, modes)


def _tasks(
    requests: Sequence[plan.Request],
    extractors: Mapping[str, Extractor],
    heads_of: Callable[[plan.Request], frozenset[str]],
) -> dict[str, Task]:
    heads: dict[str, frozenset[str]] = {}
    for request in requests:
        heads[request.extractor] = heads.get(request.extractor, frozenset()) | heads_of(request)
    return {name: Task(extractors[name], wanted) for name, wanted in heads.items() if wanted}


def _check_heads(
    requests: Sequence[plan.Request], extractors: Mapping[str, Extractor], tasks: Mapping[str, Task]
) -> None:
    for name, task in tasks.items():
        lacking = task.heads - extractors[name].info.heads
        if lacking:
            users = [
                request.name for request in requests if request.extractor == name and request.metric.heads & lacking
            ]
            message = f"{', '.join(users)} needs {', '.join(sorted(lacking))}, which the extractor {name} does not give"
            raise UsageError(f"{message}; choose another with --extractor, or leave the metric out")


class Meter:
    """Counts what is done towards a progress callback, and says at the start that nothing is."""

    def __init__(self, progress: ProgressCallback | None, task: str, total: int) -> None:
        self._progress, self._task, self._total, self._done = progress, task, total, 0
        self(0)

    def __call__(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(Progress(self._task, self._done, self._total))
