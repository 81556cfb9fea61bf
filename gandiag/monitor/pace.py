"""How often steps are measured, so that the monitor's own time stays a small share of the run's."""

from __future__ import annotations

from dataclasses import dataclass

DENSE = 200  # steps at the beginning of a run that are all measured
USUAL = 10
LEAST = 25  # steps of a window whose share says something
LADDER = (USUAL, 20, 50)  # every how many steps are measured after that


@dataclass
class Pace:
    """Which steps are measured.

    Args:
        most: largest share of the time that the monitor may take, or None for every `USUAL` steps at any cost. It
            decides from wall time, so that two runs on a busy machine may measure different steps.
    """

    most: float | None
    every: int = USUAL
    dense: bool = True
    spent: float = 0.0
    since: float | None = None
    share: float | None = None  # of the last whole window's time that the monitor took
    at: int = 0  # steps at its end

    def tracked(self, steps: int) -> bool:
        """Whether the step after `steps` steps of a player is measured."""
        return (self.dense and steps < DENSE) or steps % self.every == 0

    def adapt(self, now: float, steps: int) -> None:
        """At the end of a window: measure more rarely where it took too long, more often where there is room."""
        if self.since is not None and now > self.since and steps - self.at >= LEAST:
            self.share = self.spent / (now - self.since)
        if self.share is not None and self.most is not None and steps > DENSE:
            place = LADDER.index(self.every)
            if self.share > self.most:
                place = min(place + 1, len(LADDER) - 1)
            elif self.share < self.most / 4:
                place = max(place - 1, 0)
            self.every = LADDER[place]
        self.spent, self.since, self.at = 0.0, now, steps
