"""The states of a rule: inactive, pending while its condition holds, firing once it held long enough, resolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gandiag.core.alert import SEVERITIES, Severity

SHARE = 0.95  # of the records of a hold at which the condition has to be true


class Episode:
    """One rule's condition over time; it speaks when an episode begins and when its severity rises.

    Attributes:
        severity: of the episode, None outside of one.
        since: the step from which the episode's condition holds.
    """

    def __init__(self) -> None:
        self.severity: Severity | None = None
        self.since = 0
        self._levels: list[list[int]] = []  # where a record begins, where it ends, its level
        self._clear_since: int | None = None

    def update(
        self,
        begin: int,
        end: int,
        severity: Severity | None,
        *,
        clear: bool,
        hold: int,
        least: int,
        ready: bool,
    ) -> Severity | None:
        """Take the condition over the steps from `begin` to `end`.

        Args:
            begin: step of the record before.
            end: step of this record.
            severity: None where the condition is false.
            clear: whether the signals are past the looser limit that ends an episode.
            hold: steps for which the condition must be true; an episode ends after twice as many in the clear.
            least: records that a hold has at least.
            ready: whether the warm-up is over.

        Returns:
            The severity at which to speak now, or None.
        """
        level = 0 if severity is None else 1 + SEVERITIES.index(severity)
        levels = self._levels
        while levels and levels[-1][1] > end:  # the run went back
            levels.pop()
        if levels and levels[-1][1] == end:
            levels[-1][2] = level
        else:
            levels.append([begin, end, level])
        kept = 0
        while len(levels) - kept > least and levels[kept][1] <= end - hold:
            kept += 1
        del levels[:kept]
        if self.severity is not None and clear and not level:
            since = begin if self._clear_since is None or self._clear_since > end else self._clear_since
            self._clear_since = since
            if end - since >= 2 * hold:
                self.severity, self._clear_since = None, None
            return None
        self._clear_since = None
        current = 0 if self.severity is None else 1 + SEVERITIES.index(self.severity)
        reached = min(level, self._held(end, hold, least)) if ready and level > current else 0
        if reached <= current:
            return None
        if self.severity is None:
            self.since = self._window(end, hold, least)[0][0]
        self.severity = SEVERITIES[reached - 1]
        return self.severity

    def _window(self, end: int, hold: int, least: int) -> list[list[int]]:
        inside = [entry for entry in self._levels if entry[1] > end - hold]
        return inside if len(inside) >= least else self._levels[-least:]

    def _held(self, end: int, hold: int, least: int) -> int:
        """The worst level that held for the whole hold."""
        window = self._window(end, hold, least)
        if len(window) < least or window[0][0] > end - hold:
            return 0
        # All but 5% of the records are at this level or above it.
        return sorted(entry[2] for entry in window)[int((1 - SHARE) * len(window) + 1e-9)]

    def state_dict(self) -> dict[str, Any]:
        """Everything, as plain JSON values."""
        return {
            "severity": self.severity,
            "since": self.since,
            "levels": [list(entry) for entry in self._levels],
            "clear_since": self._clear_since,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.severity, self.since = state["severity"], int(state["since"])
        self._levels = [[int(number) for number in entry] for entry in state["levels"]]
        self._clear_since = state["clear_since"]
