"""Both sides' banks: each side is read once, for what all metrics together need of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gandiag.core.modes import Modes
from gandiag.core.protocols import Extractor, Progress, ProgressCallback, Source
from gandiag.evaluation import plan
from gandiag.evaluation.extract import Task
from gandiag.evaluation.kept import Keep, extract_or_load
from gandiag.evaluation.partners import Partners
from gandiag.evaluation.reference import Reference
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


# Banks of real samples that were read before, by the source and what was wanted of it.
Memory = dict[tuple[object, ...], tuple[Source, dict[str, FeatureBank]]]


@dataclass(frozen=True)
class Pass:
    """How samples are read and looked at.

    Attributes:
        extractors: by name.
        batch_size: samples at a time.
        device: where the extractors compute.
        keep: where banks are kept from run to run, and under what name.
        progress: told as the work goes on.
        warn: told what the user should know.
        memory: banks of real samples that several sources are scored against.
    """

    extractors: Mapping[str, Extractor]
    batch_size: int
    device: str
    keep: Keep
    progress: ProgressCallback | None = None
    warn: Callable[[str], None] = field(default=lambda message: None)
    memory: Memory = field(default_factory=dict)


def extract_sides(
    requests: Sequence[plan.Request],
    fake: Source,
    reference: Reference,
    held_out: Source | None,
    count: int,
    how: Pass,
    *,
    capped: bool,
    partners: Partners | None = None,
) -> Sides:
    """Extract the reference first, since it is what may be missing or not fit, then the samples.

    Args:
        requests: the metrics.
        fake: what is scored.
        reference: what they are scored against.
        held_out: other real samples than the reference's.
        count: how many fake samples there are to be.
        how: the extractors and the rest.
        capped: whether metrics that have a limit of their own keep to it.
        partners: what goes with each of the fake samples.

    Raises:
        GandiagError: a side cannot be read, has too few samples, or its extractor does not give what a metric needs.
    """
    modes = reference.modes

    def tasks(wanted: Sequence[plan.Request], number: int, heads_of: _Heads) -> dict[str, Task]:
        heads: dict[str, dict[str, int]] = {}
        for request in wanted:
            own = heads.setdefault(request.extractor, {})
            asked = heads_of(request)
            # A metric of images looks at their labels too, where there are any, and one of targets at the inputs.
            beside = ({"labels"} if "images" in asked else set()) | ({"inputs"} if "targets" in asked else set())
            for head in asked | beside:
                own[head] = max(own.get(head, 0), request.rows(number, capped=capped))
        return {name: Task(how.extractors.get(name), rows) for name, rows in heads.items() if rows}

    real_banks: dict[str, FeatureBank] = {}
    if reference.statistics is not None:
        known = reference.statistics.bank()
        real_banks = {request.extractor: known for request in requests if request.real_heads}
    real = reference.source
    if real is not None:
        number = real.info.size or count
        real_tasks = tasks(requests, number, lambda request: request.real_heads)
        plan.check_samples([request for request in requests if request.real_heads], number, real.info.name)
        real_banks = dict(_known("reference", real, real_tasks, number, how))
    needing = [request for request in requests if request.metric.needs_held_out]
    if held_out is not None and needing:
        number = held_out.info.size or count
        held_tasks = tasks(needing, number, lambda request: request.real_heads)
        for name, bank in _known("held-out samples", held_out, held_tasks, number, how).items():
            real_banks[name] = real_banks[name].with_held_out(bank)
    fake_tasks = tasks(requests, count, lambda request: request.heads(modes))
    return Sides(_read("samples", fake, fake_tasks, count, how, partners), real_banks, modes)


_Heads = Callable[[plan.Request], frozenset[str]]


def _known(title: str, source: Source, tasks: Mapping[str, Task], number: int, how: Pass) -> dict[str, FeatureBank]:
    """What `_read` gives, read once for all that is scored in one go."""
    wanted = tuple((name, tuple(sorted(task.heads.items()))) for name, task in sorted(tasks.items()))
    key = (title, source.info.sha256 or id(source), number, wanted)
    if key not in how.memory:
        how.memory[key] = source, _read(title, source, tasks, number, how)  # the source is held: no other has its id
    return how.memory[key][1]


def _read(
    title: str,
    source: Source,
    tasks: Mapping[str, Task],
    number: int,
    how: Pass,
    partners: Partners | None = None,
) -> dict[str, FeatureBank]:
    if not tasks:
        return {}
    meter = Meter(how.progress, title, number)
    return extract_or_load(
        source,
        tasks,
        number,
        keep=how.keep,
        batch_size=how.batch_size,
        device=how.device,
        advance=meter,
        warn=how.warn,
        partners=partners,
    )


class Meter:
    """Counts what is done towards a progress callback, and says at the start that nothing is."""

    def __init__(self, progress: ProgressCallback | None, task: str, total: int) -> None:
        self._progress, self._task, self._total, self._done = progress, task, total, 0
        self(0)

    def __call__(self, count: int) -> None:
        self._done = min(self._done + count, self._total)
        if self._progress is not None:
            self._progress(Progress(self._task, self._done, self._total))
