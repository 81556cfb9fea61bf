"""What a detector has seen: the signals that it reads, by step, in bounded memory.

Windows are counted in steps and hold a least number of records, so that a log of every 10 steps and one of every 500
are read alike. Everything here can be saved as plain JSON values and restored.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

from gandiag.core.signals import QUALITY, Record

SPAN = 1000  # steps that a history reaches back at least; a rule that asks for more gets more from then on
POINTS = 100  # points that a history holds at most over its span; closer ones become one, their mean
SPARE = 24  # points kept however old, for logs with few records
STALE = 2000  # steps after which a signal that is no longer measured says nothing about now


class History:
    """The values of one signal by step; `counts` tells of how many each one is the mean."""

    def __init__(self) -> None:
        self.span = SPAN
        self.steps: list[int] = []
        self.values: list[float] = []
        self.counts: list[int] = []

    def add(self, step: int, value: float) -> None:
        """Take a value; a step that lies before the last one undoes what came after it."""
        steps, values, counts = self.steps, self.values, self.counts
        while steps and steps[-1] > step:
            del steps[-1], values[-1], counts[-1]
        width = self.span // POINTS
        if steps and steps[-1] // width == step // width:
            counts[-1] += 1
            values[-1] += (value - values[-1]) / counts[-1]
            steps[-1] = step
        else:
            steps.append(step)
            values.append(value)
            counts.append(1)
        surplus = len(steps) - SPARE
        if surplus > 0 and (steps[0] <= step - self.span or surplus > 2 * POINTS):
            del steps[0], values[0], counts[0]

    def window(self, now: int, steps: int, lag: int, least: int) -> slice:
        """Where the points of the steps up to `lag` before now lie, or the last `least`; empty where fewer are."""
        self.span = max(self.span, steps + lag)
        latest = now - lag
        end = bisect_right(self.steps, latest)
        if end < least or self.steps[end - 1] <= latest - max(steps, STALE):
            return slice(0)
        return slice(min(bisect_right(self.steps, latest - steps, 0, end), end - least), end)


class Seen:
    """The signals that a detector reads, and what its rules remember of them.

    Args:
        reads: names of signals; `quality_` reads all of that prefix.

    Attributes:
        step: of the last record.
        previous: step of the one before it, from which on the last one tells.
        start: the step at which the run was first watched.
        signals: of the last record.
        memory: numbers that a rule wants to keep.
    """

    def __init__(self, reads: Iterable[str]) -> None:
        self.reads = frozenset(reads)
        self._names = sorted(self.reads)
        self.step = self.previous = self.start = 0
        self.begun = False
        self.signals: dict[str, float] = {}
        self.memory: dict[str, float] = {}
        self._histories: dict[str, History] = {}
        self._peaks: dict[str, dict[str, Any]] = {}

    @property
    def age(self) -> int:
        """Steps watched so far."""
        return self.step - self.start

    def take(self, record: Record) -> None:
        """The next record."""
        if not self.begun:
            updates = record.signals.get("generator_steps", 0.0)
            self.start = max(0, record.step - int(updates)) if updates else record.step
            self.step, self.begun = self.start, True
        if record.step < self.step:
            self.previous = record.step
        elif record.step > self.step:
            self.previous = self.step
        self.step = record.step
        self.start = min(self.start, self.step)
        signals = record.signals
        self.signals = {name: signals[name] for name in self._names if name in signals}
        if QUALITY in self.reads:
            self.signals |= {name: value for name, value in signals.items() if name.startswith(QUALITY)}
        for name, value in self.signals.items():
            history = self._histories.get(name)
            if history is None:
                history = self._histories[name] = History()
            history.add(record.step, value)

    def values(self, name: str, steps: int, *, lag: int = 0, least: int = 3) -> list[float]:
        """The values of the last `steps` steps, or the last `least` ones; empty where fewer were measured."""
        history = self._histories.get(name)
        return history.values[history.window(self.step, steps, lag, least)] if history else []

    def points(self, name: str, steps: int, *, least: int = 3) -> list[tuple[int, float]]:
        """The same with their steps."""
        history = self._histories.get(name)
        if not history:
            return []
        window = history.window(self.step, steps, 0, least)
        return list(zip(history.steps[window], history.values[window], strict=True))

    def last(self, name: str) -> float | None:
        """The latest value that still tells something."""
        if name in self.signals:
            return self.signals[name]
        values = self.values(name, 1, least=1)
        return values[-1] if values else None

    def median(self, name: str, steps: int, *, lag: int = 0, least: int = 3) -> float | None:
        """The median of `values`, or None."""
        values = self.values(name, steps, lag=lag, least=least)
        return statistics.median(values) if values else None

    def mean(self, name: str, constant: int, *, least: int = 3) -> float | None:
        """The exponential mean with a time constant in steps, or None; the latest value where the constant is 0."""
        points = self.points(name, 4 * constant, least=least)
        if not points:
            return None
        if not constant:
            return points[-1][1]
        weights = [math.exp((step - self.step) / constant) for step, _ in points]
        total = sum(weights)
        if not total > 0:
            return points[-1][1]
        return sum(weight * value for weight, (_, value) in zip(weights, points, strict=True)) / total

    def peak(self, key: str, value: float | None, lag: int) -> float | None:
        """The largest of the values handed over under this key until `lag` steps ago. Call it for every record."""
        peak = self._peaks.setdefault(key, {"best": None, "waiting": []})
        waiting: list[list[float]] = peak["waiting"]
        while waiting and waiting[-1][0] >= self.step:
            waiting.pop()
        if value is not None:
            waiting.append([self.step, value])
        while waiting and waiting[0][0] <= self.step - lag:
            peak["best"] = max(waiting.pop(0)[1], -math.inf if peak["best"] is None else peak["best"])
        best: float | None = peak["best"]
        return best

    def state_dict(self) -> dict[str, Any]:
        """Everything, as plain JSON values."""
        return {
            "step": self.step,
            "previous": self.previous,
            "start": self.start,
            "begun": self.begun,
            "signals": dict(self.signals),
            "memory": dict(self.memory),
            "histories": {
                name: {
                    "span": history.span,
                    "steps": list(history.steps),
                    "values": list(history.values),
                    "counts": list(history.counts),
                }
                for name, history in self._histories.items()
            },
            "peaks": {
                key: {"best": peak["best"], "waiting": [list(pair) for pair in peak["waiting"]]}
                for key, peak in self._peaks.items()
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.step, self.previous = int(state["step"]), int(state["previous"])
        self.start, self.begun = int(state["start"]), bool(state["begun"])
        self.signals, self.memory = dict(state["signals"]), dict(state["memory"])
        self._histories = {}
        for name, saved in state["histories"].items():
            history = self._histories[name] = History()
            history.span, history.steps = int(saved["span"]), list(saved["steps"])
            history.values, history.counts = list(saved["values"]), list(saved["counts"])
        self._peaks = {
            key: {"best": peak["best"], "waiting": [list(pair) for pair in peak["waiting"]]}
            for key, peak in state["peaks"].items()
        }
