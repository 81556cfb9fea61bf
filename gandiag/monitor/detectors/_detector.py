"""What a detector is: a rule with thresholds, over records, with state that can be saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from gandiag.core.alert import Alert
from gandiag.core.signals import Record


class Detector(Protocol):
    """One rule for one pair of players. It uses nothing but the records, so that a replay gives the same alerts."""

    def update(self, record: Record) -> Alert | None:
        """Take the next record; an alert where an episode begins or its severity rises."""

    def state_dict(self) -> dict[str, Any]:
        """All that the detector remembers, as plain JSON values."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""


class DetectorType(Protocol):
    """What a detector's module registers as DETECTOR; `Rules` in `gandiag.monitor.detectors` makes one of rules."""

    @property
    def thresholds(self) -> type[Any]:
        """Its frozen dataclass of limits, windows and holds, all with defaults."""

    @property
    def needs(self) -> Mapping[str, tuple[frozenset[str], ...]]:
        """What it looks at, each with sets of signals: it works where all of one set were seen, else it is blind."""

    def __call__(self, thresholds: Any) -> Detector:
        """A new detector."""
