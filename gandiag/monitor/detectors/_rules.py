"""Detectors made of rules: a rule finds something or nothing in what was seen, and its episode does the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from gandiag.core.alert import SEVERITIES, Alert, Severity
from gandiag.core.signals import Record
from gandiag.monitor.detectors._episode import Episode
from gandiag.monitor.detectors._seen import Seen

T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """What a rule finds at one record.

    Attributes:
        severity: None where nothing is wrong.
        clear: whether the signals are past the looser limit that ends an episode; always False beside a severity.
        message: what was measured, over which window, against which limit, and what it usually means.
        evidence: signal to value.
        advice: what to check first and what to try.
    """

    severity: Severity | None = None
    clear: bool = True
    message: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)
    advice: tuple[str, ...] = ()


NOTHING = Finding()
BETWEEN = Finding(clear=False)  # nothing wrong, but not far enough from it to end an episode


def found(
    severity: Severity, message: str, evidence: Mapping[str, float | None], advice: tuple[str, ...] = ()
) -> Finding:
    """A finding; evidence that was not measured, or left the range of a float, is left out."""
    known = {name: value for name, value in evidence.items() if value is not None and math.isfinite(value)}
    return Finding(severity, False, message, known, advice)


def always(thresholds: object, seen: Seen) -> bool:
    """The warm-up of a rule without one."""
    return True


def warm(thresholds: Any, seen: Seen) -> bool:
    """The warm-up of a rule that is silent for the first `warm_up` steps."""
    return seen.age >= int(thresholds.warm_up)


Needs = tuple[frozenset[str], ...]


def one_of(*signals: str) -> Needs:
    """The needs of a rule for which any of these signals will do."""
    return tuple(frozenset({signal}) for signal in signals)


def all_of(*signals: str) -> Needs:
    """The needs of a rule that takes all of these signals."""
    return (frozenset(signals),)


@dataclass(frozen=True)
class Rule(Generic[T]):
    """One condition over what was seen.

    Attributes:
        what: it looks at, in a few words.
        needs: sets of signals; it works where all of one set have been seen.
        judge: called for every record, so that what it remembers is whole.
        hold: steps for which the condition must be true.
        least: records that a hold has at least.
        ready: whether the warm-up is over.
    """

    what: str
    needs: Needs
    judge: Callable[[T, Seen], Finding]
    hold: Callable[[T], int]
    least: int = 3
    ready: Callable[[T, Seen], bool] = warm


@dataclass(frozen=True)
class Rules(Generic[T]):
    """A detector made of rules that share a kind and one episode message.

    Attributes:
        kind: of the alerts.
        thresholds: the frozen dataclass of limits, windows and holds.
        reads: signals that it uses where they are there, beside those that its rules need.
        rules: in the order in which they explain more.
    """

    kind: str
    thresholds: type[T]
    rules: tuple[Rule[T], ...]
    reads: frozenset[str] = frozenset()

    @property
    def needs(self) -> dict[str, Needs]:
        """What each rule looks at, to the sets of signals of which it takes any; rules of one name are one."""
        needs: dict[str, Needs] = {}
        for rule in self.rules:
            needs[rule.what] = tuple(dict.fromkeys((*needs.get(rule.what, ()), *rule.needs)))
        return needs

    def __call__(self, thresholds: T) -> RulesDetector[T]:
        """A new detector."""
        return RulesDetector(self, thresholds)


class RulesDetector(Generic[T]):
    """The rules of one kind for one pair of players."""

    def __init__(self, kind: Rules[T], thresholds: T) -> None:
        self.kind = kind
        self.thresholds = thresholds
        self.seen = Seen(kind.reads.union(*(need for rule in kind.rules for need in rule.needs)))
        self.episodes = [Episode() for _ in kind.rules]

    @property
    def firing(self) -> Severity | None:
        """The severity of the episode that goes on, or None."""
        told = [episode.severity for episode in self.episodes if episode.severity is not None]
        return max(told, key=SEVERITIES.index, default=None)

    def update(self, record: Record) -> Alert | None:
        """Take the next record; an alert where an episode begins or its severity rises."""
        seen = self.seen
        seen.take(record)
        told = self.firing
        alert: Alert | None = None
        for rule, episode in zip(self.kind.rules, self.episodes, strict=True):
            finding = rule.judge(self.thresholds, seen)
            severity = episode.update(
                seen.previous,
                seen.step,
                finding.severity,
                clear=finding.clear,
                hold=rule.hold(self.thresholds),
                least=rule.least,
                ready=rule.ready(self.thresholds, seen),
            )
            if severity is not None and (alert is None or _worse(severity, alert.severity)):
                advice = (*finding.advice, silencing(self.kind.kind))
                alert = Alert(
                    self.kind.kind, severity, seen.step, episode.since, finding.message, finding.evidence, advice
                )
        return alert if alert is not None and (told is None or _worse(alert.severity, told)) else None

    def state_dict(self) -> dict[str, Any]:
        """Everything, as plain JSON values."""
        return {"seen": self.seen.state_dict(), "episodes": [episode.state_dict() for episode in self.episodes]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.seen.load_state_dict(state["seen"])
        for episode, saved in zip(self.episodes, state["episodes"], strict=True):
            episode.load_state_dict(saved)


def silencing(kind: str) -> str:
    """How to silence a kind."""
    return f"To silence: thresholds={{{kind!r}: False}}, or `{kind} = false` in the thresholds file."


def number(value: float) -> str:
    """A measured number in a message."""
    return f"{value:.3g}"


def _worse(one: Severity, other: Severity) -> bool:
    return SEVERITIES.index(one) > SEVERITIES.index(other)
