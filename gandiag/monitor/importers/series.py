"""Series of foreign logs, and how several of them become records."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gandiag.core.run_log import as_logged
from gandiag.core.signals import Record

WINDOW = 50  # steps in a record at least, as in gandiag's own logs
RESUMPTIONS = 3  # times that steps may go back; steps that do so more often begin anew in each epoch


@dataclass
class Series:
    """One quantity as a foreign tool logged it.

    Attributes:
        name: the tool's.
        run: the part of the log that it stands in, such as a sub-folder; empty where there is but one.
        steps: ascending.
        values: of each step; may hold NaN and infinity.
        times: seconds of each step from any origin; empty where the log has none.
        undone: values that were taken out, since a resumed run went back before them.
        resumptions: times that values were undone.
    """

    name: str
    run: str = ""
    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    undone: int = 0
    resumptions: int = 0

    @property
    def tag(self) -> str:
        """The name without the run."""
        return self.name.removeprefix(f"{self.run}/") if self.run else self.name

    def add(self, step: int, value: float, time: float | None = None) -> None:
        """Take the next value; one of an earlier step undoes what came after that step, as a resumed run does."""
        before = len(self.steps)
        while self.steps and self.steps[-1] > step:
            self.steps.pop()
            self.values.pop()
            if self.times:
                self.times.pop()
        self.undone += before - len(self.steps)
        self.resumptions += len(self.steps) < before
        self.steps.append(step)
        self.values.append(value)
        if time is not None:
            self.times.append(time)

    def finite(self) -> list[float]:
        """Its values without NaN and infinity."""
        return [value for value in self.values if math.isfinite(value)]


class Log(list[Series]):
    """The series of a foreign log, with what else is to be said of it.

    Args:
        series: all of them.
        unread: foreign names whose values cannot be read, and why.
        notes: on how the log was read.
    """

    def __init__(
        self, series: Iterable[Series] = (), *, unread: Mapping[str, str] | None = None, notes: Iterable[str] = ()
    ) -> None:
        super().__init__(series)
        self.unread = dict(unread or {})
        self.notes = tuple(notes)


def goings_back(steps: Sequence[float]) -> list[float]:
    """The steps that lie before the one logged just before them."""
    return [later for earlier, later in itertools.pairwise(steps) if later < earlier]


def begins_anew(steps: Sequence[float], returns: int = 2) -> bool:
    """Whether steps are counted within an epoch: a resumed run goes back seldom, and to a step in the middle.

    Args:
        steps: as they were logged.
        returns: to the least step from which on, where there are no others, they are no resumptions.
    """
    back = goings_back(steps)
    return len(back) > RESUMPTIONS or (len(back) >= returns and set(back) == {min(steps)})


def undone_note(series: Sequence[Series]) -> str:
    """How much resumptions undid, empty where they undid nothing."""
    values = sum(one.undone for one in series)
    times = max((one.resumptions for one in series), default=0)
    if not values:
        return ""
    were = "1 value was" if values == 1 else f"{values:,} values were"
    return f"{were} undone by {times} resumption{'s' if times > 1 else ''}"


def joined(series: Mapping[str, Series]) -> list[Record]:
    """Records of series that may have been logged at different steps.

    A record holds a window of 50 steps, or of as many as lie between two values of the densest series. Gradient norms
    are taken by their median and largest, rates and counts by their last, all others by their mean. Values that are
    not finite are counted in the `non_finite_*` signals.

    Args:
        series: by the signal that it is.
    """
    spacings = [
        statistics.median(b - a for a, b in itertools.pairwise(one.steps))
        for one in series.values()
        if len(one.steps) > 1
    ]
    width = max(WINDOW, int(min(spacings, default=WINDOW)))
    windows: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for signal, one in series.items():
        for index, step in enumerate(one.steps):
            windows[step // width][signal].append(index)
    origin = min((time for one in series.values() for time in one.times), default=0.0)
    return [_record(series, windows[number], origin) for number in sorted(windows)]


def _record(series: Mapping[str, Series], window: Mapping[str, Sequence[int]], origin: float) -> Record:
    signals: dict[str, float] = {}
    broken: list[int] = []
    for signal, indices in window.items():
        one = series[signal]
        finite = [one.values[index] for index in indices if math.isfinite(one.values[index])]
        lost = [one.steps[index] for index in indices if not math.isfinite(one.values[index])]
        name, _, player = signal.partition("@")
        behind = f"@{player}" if player else ""
        counter = non_finite_counter(name)
        if counter is not None:
            signals[counter + behind] = signals.get(counter + behind, 0.0) + len(lost)
            broken += lost
        if not finite:
            continue
        signals[signal] = _summary(name)(finite)
        if name.endswith("gradient_norm") and f"{name}_max{behind}" not in series:
            signals[f"{name}_max{behind}"] = max(finite)
    if broken:
        signals["non_finite_step"] = float(min(broken))
    last = max(series[signal].steps[indices[-1]] for signal, indices in window.items())
    times = [series[signal].times[indices[-1]] for signal, indices in window.items() if series[signal].times]
    return as_logged(Record(last, max(times, default=origin) - origin, signals))


def non_finite_counter(signal: str) -> str | None:
    """The signal that counts the values of a signal that are not finite, if there is one."""
    if "gradient" in signal:
        return f"non_finite_{signal.partition('_')[0]}_gradients"
    if signal.endswith("_loss"):
        return "non_finite_losses"
    if signal.endswith(("_score", "_confidence")):
        return "non_finite_scores"
    return None


def _summary(signal: str) -> Callable[[Sequence[float]], float]:
    if signal.endswith("gradient_norm"):
        return statistics.median
    if signal.endswith("_max"):
        return max
    if signal.endswith(("_learning_rate", "_steps", "loss_scale")):
        return _last
    return _mean


def _last(values: Sequence[float]) -> float:
    return values[-1]


def _mean(values: Sequence[float]) -> float:
    # Halves, so that no sum leaves the range of a float.
    return 2 * math.fsum(value / len(values) / 2 for value in values)
