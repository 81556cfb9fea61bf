"""Scoring the generator in the middle of its training, with any function."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from gandiag.core.errors import UsageError, shown
from gandiag.core.result import Result
from gandiag.core.score import Score
from gandiag.core.seeds import integer
from gandiag.core.signals import QUALITY, Record
from gandiag.monitor.capture.players import Player
from gandiag.monitor.restore import unnoticed

Scorer = Callable[[nn.Module], Any]


@dataclass(frozen=True)
class Best:
    """The best that a quality has been.

    Attributes:
        step: of the run.
        value: at that step.
    """

    step: int
    value: float


def keep_best(best: dict[str, Best], step: int, signals: Mapping[str, float]) -> None:
    """Put in each quality among the signals that is better than it ever was.

    Args:
        best: quality's name to its best so far.
        step: of the run.
        signals: of that step; those that are no qualities are passed over.
    """
    for signal, value in signals.items():
        plain, at, player = signal.partition("@")
        better = signals.get(f"{plain}_better{at}{player}")
        if better is not None and signal.startswith(QUALITY):
            name = signal.removeprefix(QUALITY)
            known = best.get(name)
            if known is None or better * (value - known.value) > 0:
                best[name] = Best(step, value)


def best_of(records: Iterable[Record]) -> dict[str, Best]:
    """The best of each quality in a log; its step is that of the record."""
    best: dict[str, Best] = {}
    for record in records:
        keep_best(best, record.step, record.signals)
    return best


@dataclass(frozen=True)
class Evaluation:
    """A scorer, and how often it is asked.

    Attributes:
        every: updates of the generator.
        scorer: takes the generator; returns a number, a Score, a Result, or a mapping of names to numbers or scores.
        name: of the quality.
        better: for numbers; a Score says it itself.
        player: the generator.
        network: its own.
    """

    every: int
    scorer: Scorer
    name: str
    better: Literal["higher", "lower"]
    player: Player
    network: nn.Module

    def measure(self, networks: list[nn.Module]) -> dict[str, float]:
        """The signals of the scores; the random numbers are the same each time, so that values can be compared."""
        with unnoticed(networks, seed=integer(0, "evaluate_every", self.name)):
            found = self.scorer(self.network)
        signals = {}
        for name, value in self._named(found).items():
            signals.update(self._signals(name, value))
        return {self.player.signal(name): value for name, value in signals.items()}

    def _named(self, found: Any) -> dict[str, Any]:
        scores = found.scores if isinstance(found, Result) else found
        if not isinstance(scores, Mapping):
            return {self.name: scores}
        if len(scores) == 1:
            return {self.name: next(iter(scores.values()))}
        return {f"{self.name}_{name}": value for name, value in scores.items()}

    def _signals(self, name: str, value: Any) -> dict[str, float]:
        stderr, better = None, self.better
        if isinstance(value, Score):
            if value.value is None:
                return {}
            value, stderr, better = value.value, value.stderr, value.better or self.better
        try:
            number = float(value.detach() if isinstance(value, Tensor) else value)
        except (TypeError, ValueError):
            raise UsageError(f"the scorer {self.name} returned {shown(value)}, expected a number or a Score") from None
        if not math.isfinite(number):
            return {}
        signals = {f"{QUALITY}{name}": number, f"{QUALITY}{name}_better": 1.0 if better == "higher" else -1.0}
        if stderr is not None:
            signals[f"{QUALITY}{name}_stderr"] = stderr
        return signals
