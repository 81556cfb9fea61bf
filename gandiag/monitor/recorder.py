"""From windows to records, and from records to alerts."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from gandiag.core.alert import Alert
from gandiag.core.run_log import as_logged
from gandiag.core.signals import Record
from gandiag.monitor.buffer import Flight
from gandiag.monitor.capture.loop import Loop
from gandiag.monitor.capture.players import Player
from gandiag.monitor.engine import Engine
from gandiag.monitor.guard import Guard
from gandiag.monitor.measure.window import Window, skips
from gandiag.monitor.outbox import Outbox

SCORES = frozenset(
    {
        "real_score",
        "fake_score",
        "score_magnitude",
        "real_confidence",
        "fake_confidence",
        "auc",
        "d_prime",
        "saturation",
    }
)


@dataclass
class Closing:
    """A window that is over, and whose numbers may still be on their way."""

    step: int
    time: float
    window: Window
    flights: list[Flight]
    scaled_steps: int  # of players whose gradients are scaled


class Recorder:
    """Keeps the window that is open, closes it, and hands over what it gives.

    Args:
        loop: whose buffers the numbers come from.
        engine: of the detectors.
        outbox: of records and alerts.
        guard: runs the engine.
        raised: called with each new alert.

    Attributes:
        alerts: all of the run.
        paused: seconds that the run took before this process.
    """

    def __init__(
        self, loop: Loop, engine: Engine, outbox: Outbox, guard: Guard, raised: Callable[[Alert], None]
    ) -> None:
        self.loop, self.engine, self.outbox, self.guard = loop, engine, outbox, guard
        self.alerts: list[Alert] = []
        self.before, self._begun = 0.0, time.monotonic()
        self._raised = raised
        self._closing: deque[Closing] = deque()
        self._window = self._fresh()
        self._unpaired: dict[str, dict[str, Tensor]] = {}
        self._scales: dict[str, float] = {}  # of each gradient scaler, at the end of the window before

    @property
    def time(self) -> float:
        """Seconds that the run took so far."""
        return self.before + time.monotonic() - self._begun

    def go_on(self, seconds: float) -> None:
        """Count the time on from a run before."""
        self.before, self._begun = seconds, time.monotonic()
        self._scales.clear()

    def scalar(self, signal: str, value: Tensor | float, step: int) -> None:
        """Take a number for the mean of a signal; one on a device stays there until the window ends."""
        if isinstance(value, Tensor):
            self.loop.buffers.put("value", signal, step, value.detach().reshape(-1))
        else:
            self._window.mean_of(signal, float(value), step)

    def qualities(self, signals: Mapping[str, float]) -> None:
        """Take what a scorer found."""
        self._window.latest.update(signals)

    def observed(self, key: str, given: Mapping[str, Tensor], step: int) -> None:
        """Take outputs of a discriminator and samples; outputs count once both sides are there."""
        waiting = self._unpaired.setdefault(key, {})
        for name in ("real_logits", "fake_logits"):
            if name in given:
                scores = given[name].detach().float()
                scores = scores.flatten(1).mean(dim=1) if scores.ndim > 1 else scores.reshape(-1)
                waiting[name] = scores
                self.loop.said_scores.add(key)
        if len(waiting) == 2:
            self.loop.buffers.put("observed", key, step, waiting["real_logits"], waiting["fake_logits"])
            waiting.clear()
        for name in ("real", "fake"):
            if name in given:
                self.loop.said_samples.add(key)
                self.loop.observed_samples(key, name, given[name])

    def close_window(self, step: int) -> None:
        """End the window at a step of the run, and begin a new one."""
        self.loop.end_window()
        window = self._window
        self._rates(window, step)
        self._closing.append(Closing(step, self.time, window, self.loop.buffers.send(), self.loop.scaled_steps))
        self._window = self._fresh()
        while len(self._closing) > 1:
            self._land_first()
        self.land()

    def land(self, wait: bool = False) -> None:
        """Hand over windows whose numbers have arrived; with `wait`, wait for all of them."""
        while self._closing and (wait or all(flight.landed() for flight in self._closing[0].flights)):
            self._land_first()

    def _land_first(self) -> None:
        self._finish(self._closing.popleft())

    def _fresh(self) -> Window:
        generators = [each.key for each in self.loop.players if each.kind == "generator"]
        opponents = {}
        for player in self.loop.players:
            if player.kind == "discriminator":
                same = player.signal("generator")
                if same in generators or len(generators) == 1:
                    opponents[player.key] = same if same in generators else generators[0]
        return Window(self.loop.losses, opponents)

    def _rates(self, window: Window, step: int) -> None:
        for player in self.loop.players:
            if not player.optimizers:
                continue
            window.latest[player.signal(f"{player.kind}_steps")] = float(player.steps)
            rate = player.optimizers[0].param_groups[0].get("lr")
            if isinstance(rate, Tensor):
                self.loop.buffers.put("value", player.signal(f"{player.kind}_learning_rate"), step, rate.reshape(-1))
            elif isinstance(rate, int | float):
                window.latest[player.signal(f"{player.kind}_learning_rate")] = float(rate)
            window.latest[player.signal(f"{player.kind}_parameters")] = float(self._parameters(player))

    def _parameters(self, player: Player) -> int:
        return sum(each.numel() for optimizer in player.optimizers for each in player.trained(optimizer))

    def _finish(self, closing: Closing) -> None:
        measurements = [each for flight in closing.flights for each in flight.read()]
        window = closing.window
        self.loop.learn(measurements)
        window.take([each for each in measurements if self.loop.counts(each)])
        self._scaling(window, closing.scaled_steps)
        record = as_logged(Record(closing.step, closing.time, window.signals()))
        self.outbox.record(record)
        for alert in self.guard.run("detectors", self.engine.update, record) or ():
            self.alerts.append(alert)
            self.outbox.alert(alert)
            self._raised(alert)

    def _scaling(self, window: Window, steps: int) -> None:
        """What all gradient scalers did, and the lowest of their scales.

        How a scale fell tells of all steps, however few were measured; so all steps are what it is a share of.
        """
        overflows = window.counts.pop("overflows", None)
        scales = {str(place): window.scales[str(place)] for place in range(len(self.loop.scalers))}
        if not any(scales.values()):
            return
        fallen = 0
        for (place, values), scaler in zip(scales.items(), self.loop.scalers, strict=True):
            before = [self._scales[place]] if place in self._scales else []
            fallen += skips([*before, *values], scaler.get_backoff_factor())
            self._scales.update({place: values[-1]} if values else {})
        skipped = max(overflows or 0, fallen)
        made = steps if overflows is not None else steps + skipped  # a fused optimizer counts those that it skips
        window.latest["loss_scale"] = min(values[-1] for values in scales.values() if values)
        window.latest["skipped_steps"] = skipped / max(made, 1)
