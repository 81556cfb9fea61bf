"""The monitor of a run, as its user sees it."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal

import torch
from torch import Tensor

from gandiag.core.alert import KINDS, Alert, at_least
from gandiag.core.errors import InputError, TrainingAlert, UnknownNameError, UsageError, shown
from gandiag.core.signals import QUALITY, SIGNALS
from gandiag.monitor.capture.loop import Loop
from gandiag.monitor.capture.players import Player
from gandiag.monitor.engine import Engine
from gandiag.monitor.guard import Guard
from gandiag.monitor.outbox import Outbox, warn
from gandiag.monitor.quality import Best, Evaluation, Scorer, keep_best
from gandiag.monitor.recorder import Recorder
from gandiag.monitor.rhythm import record_interval
from gandiag.monitor.settings import Settings

LONELY = 500  # steps of the discriminator without one of the generator that are a window of their own
AGREE = 50  # steps of the generators from one agreement of all ranks to the next
ALIASES = {
    "g_loss": "generator_loss",
    "d_loss": "discriminator_loss",
    "grad_norm_g": "generator_gradient_norm",
    "grad_norm_d": "discriminator_gradient_norm",
    "real_scores": "real_score",
    "fake_scores": "fake_score",
}
STATE = 1


class Monitor:
    """Watches one training run; `gandiag.watch` makes it.

    Attributes:
        best: quality's name, with `@GENERATOR` where that has one, to its best step and value.
        active: False where GANDIAG=0 switched the monitor off: everything may be called, and does nothing.
    """

    def __init__(
        self,
        players: list[Player],
        settings: Settings,
        engine: Engine,
        outbox: Outbox,
        *,
        active: bool = True,
        reopen: Callable[[int, float], None] | None = None,
    ) -> None:
        self.active = active
        self.best: dict[str, Best] = {}
        self._players, self._settings, self._outbox = players, settings, outbox
        self._reopen = reopen
        self._step, self._recorded, self._lonely = 0, 0, 0
        self._turns, self._waits = 0, 0  # steps of the generators, and of others alone, since the ranks agreed
        self._counted = True  # steps are counted, not given
        self._fresh = False  # something happened since the last record
        self._stop: Alert | None = None
        self._stopping = False
        self._stop_by: Callable[[Alert], object] | None = None
        self._said: set[str] = set()
        self._evaluations: list[Evaluation] = []
        self._closed = not active
        self._process = os.getpid()
        self._guard = Guard(warn)
        self._loop = Loop(
            players if active else [],
            settings,
            self._guard,
            before=self._check,
            after=self._stepped,
            now=lambda: self._step,
            say=self._say,
        )
        self._recorder = Recorder(self._loop, engine, outbox, self._guard, self._raised)
        if active:
            itself = weakref.ref(self)
            self._at_exit: Callable[[], None] = lambda: _close(itself)
            atexit.register(self._at_exit)

    @property
    def alerts(self) -> list[Alert]:
        """All alerts of the run, those before a resumption included."""
        return self._recorder.alerts

    @property
    def current_step(self) -> int:
        """Of the run: updates of the generator, the most of several, or what the loop said."""
        return self._step

    def observe(
        self,
        *,
        step: int | None = None,
        real_logits: Tensor | None = None,
        fake_logits: Tensor | None = None,
        real: Tensor | None = None,
        fake: Tensor | None = None,
        g_loss: Tensor | float | None = None,
        d_loss: Tensor | float | None = None,
        grad_norm_g: Tensor | float | None = None,
        grad_norm_d: Tensor | float | None = None,
        player: str | None = None,
    ) -> None:
        """Hand over what the hooks cannot read, any part of it, at any time; it goes before what they read.

        Args:
            step: of the run, growing, one an update of the generator. Where its optimizer is watched its updates are
                counted, and what is given here changes nothing.
            real_logits: the discriminator's outputs on real samples in its own step: one a sample, or maps (n, ...).
            fake_logits: the same on fakes.
            real: real samples (n, ...).
            fake: fakes (n, ...).
            g_loss: loss of the generator.
            d_loss: loss of the discriminator.
            grad_norm_g: norm of the generator's gradients, such as `clip_grad_norm_` returns.
            grad_norm_d: the same of the discriminator.
            player: name of the players that this is of, where there are several.

        Raises:
            UsageError: there is no player of that name, or neither optimizers are watched nor a step is given.
        """
        if self._closed:
            return
        if player is not None and all(each.name != player for each in self._players):
            raise UnknownNameError("player", player, [each.name for each in self._players if each.name])
        if step is not None:
            self._move_to(step)
        elif self._counted and not self._loop.steps_are_seen:
            raise UsageError("observe needs step=... where no optimizer is watched; give it the number of the step")
        scalars = {"g_loss": g_loss, "d_loss": d_loss, "grad_norm_g": grad_norm_g, "grad_norm_d": grad_norm_d}
        at = f"@{player}" if player else ""
        for name, number in scalars.items():
            if number is not None:
                self._scalar(self._of_its_player(ALIASES[name], player), number)
        given = {"real_logits": real_logits, "fake_logits": fake_logits, "real": real, "fake": fake}
        tensors = {name: value for name, value in given.items() if value is not None}
        if tensors:
            self._fresh = True
            self._guard.run(
                "observed tensors", self._recorder.observed, f"discriminator{at}", tensors, max(self._step, 1)
            )
        self._close_window_if_due()

    def step(
        self,
        signals: Mapping[str, Tensor | float] | None = None,
        *,
        step: int | None = None,
        g_loss: Tensor | float | None = None,
        d_loss: Tensor | float | None = None,
        grad_norm_g: Tensor | float | None = None,
        grad_norm_d: Tensor | float | None = None,
        real_scores: Tensor | float | None = None,
        fake_scores: Tensor | float | None = None,
    ) -> None:
        """Hand over plain numbers from any loop, once for each of its steps.

        Args:
            signals: numbers by the names of their signals, such as `{"auc": 0.8}`, with `@NAME` for one of several
                players; the names of the other arguments are good too.
            step: of the run, as of `observe`; by default one more than before.
            g_loss: loss of the generator.
            d_loss: loss of the discriminator.
            grad_norm_g: norm of the generator's gradients.
            grad_norm_d: norm of the discriminator's gradients.
            real_scores: mean output of the discriminator on real samples.
            fake_scores: mean output of the discriminator on fakes.

        Raises:
            UnknownNameError: no signal has that name.
            TrainingAlert: an alert asked to stop, and no optimizer is watched at whose step it would be raised.
        """
        if self._closed:
            return
        if not self._loop.steps_are_seen:
            self._check()
        named = {
            "g_loss": g_loss,
            "d_loss": d_loss,
            "grad_norm_g": grad_norm_g,
            "grad_norm_d": grad_norm_d,
            "real_scores": real_scores,
            "fake_scores": fake_scores,
        }
        numbers = {_signal(name): value for name, value in (signals or {}).items()}
        numbers |= {ALIASES[name]: value for name, value in named.items() if value is not None}
        if step is not None or not self._loop.steps_are_seen:
            self._move_to(self._step + 1 if step is None else step)
        for signal, value in numbers.items():
            self._scalar(signal, value)
        self._close_window_if_due()

    def evaluate_every(
        self,
        steps: int,
        scorer: Scorer,
        *,
        name: str = "quality",
        better: Literal["higher", "lower"] = "lower",
        generator: str | None = None,
    ) -> None:
        """Score the generator in the loop, which does not notice it: modes, buffers and random numbers are put back.

        Args:
            steps: updates of the generator from one evaluation to the next.
            scorer: takes the generator; returns a number, a Score, a Result, or a mapping of names to numbers or
                scores. It runs without gradients and has random numbers of its own, the same at each evaluation.
            name: of the quality, whose signal is `quality_NAME`, or `quality_NAME@GENERATOR` where that has a name.
            better: which way is better; a Score knows it itself.
            generator: name of the generator, where there are several; the first of them by default.

        Raises:
            UsageError: an argument is out of range, or no generator is watched.
        """
        if self._closed:
            return
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
            raise UsageError(f"steps is {shown(steps)}, expected a whole number of 1 or more")
        if not callable(scorer):
            raise UsageError(f"the scorer is {shown(scorer)}, expected a function that takes the generator")
        if better not in ("higher", "lower"):
            raise UsageError(f"better is {shown(better)}, expected 'higher' or 'lower'")
        if not name.replace("_", "").replace("-", "").isalnum():
            raise UsageError(f"the name of a quality is {shown(name)}; expected letters, digits, - and _")
        known = [each for each in self._players if each.kind == "generator" and each.network is not None]
        named = [each for each in known if generator in (None, each.name)]
        if known and not named:
            raise UnknownNameError("generator", str(generator), [each.name for each in known if each.name])
        if not named or named[0].network is None:
            raise UsageError("evaluate_every needs a generator; give it to watch")
        self._evaluations.append(Evaluation(steps, scorer, name, better, named[0], named[0].network))

    def stop_by(self, function: Callable[[Alert], object]) -> None:
        """Where an alert is to stop the training, call a function with it instead of raising `TrainingAlert`.

        Args:
            function: called at once, and in `torch.distributed` at the same step on all ranks; the training goes on
                until it takes notice.
        """
        self._stop_by = function

    def report(self) -> str:
        """What is seen of the run, and which rules have no signals and why, as lines of text."""
        if not self.active:
            return "the monitor is off: GANDIAG=0"
        self._recorder.land(True)
        count = len(self.alerts)
        lines = [f"step {self._step}, {count} {'alert' if count == 1 else 'alerts'}"]
        for player in self._players:
            watched = f"{player.steps} steps" if player.optimizers else "no optimizer watched"
            lines.append(f"{player.key}: {watched}")
        for key, losses in self._loop.losses.items():
            lines.append(f"{key}: its loss is {losses.kind}")
        share = self._loop.pace.share
        if share is not None:
            lines.append(f"the monitor's own time: {share:.1%} of the last window's")
        lines += self._loop.complaints()
        lines += [f"switched off: {part}: {why}" for part, why in self._guard.off.items()]
        lines += [f"inactive: {kind}: {why}" for kind, why in sorted(self._recorder.engine.inactive().items())]
        return "\n".join(lines)

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs, as plain values, for a checkpoint."""
        self._recorder.land(True)
        return {
            "state": STATE,
            "step": self._step,
            "recorded": self._recorded,
            "time": self._recorder.time,
            "players": {player.key: player.steps for player in self._players},
            "engine": self._recorder.engine.state_dict(),
            "alerts": [alert.to_dict() for alert in self.alerts],
            "said": sorted(self._said),
            "best": {name: [best.step, best.value] for name, best in self.best.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken: no warm-up again, no alert twice.

        Raises:
            InputError: this is no state of a monitor.
        """
        if not self.active:
            return
        try:
            if state["state"] != STATE:
                raise ValueError(f"version {shown(state['state'])}, expected {STATE}")
            step, recorded, seconds = int(state["step"]), int(state["recorded"]), float(state["time"])
            players = {str(key): int(steps) for key, steps in state["players"].items()}
            alerts = [Alert.from_dict(values) for values in state["alerts"]]
            best = {str(name): Best(int(at), float(value)) for name, (at, value) in state["best"].items()}
            said = {str(key) for key in state["said"]}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"this is no state of a monitor: {error!r}; take one with monitor.state_dict()") from error
        self._recorder.engine.load_state_dict(state["engine"])
        self.go_on(step, seconds, players, alerts, best)
        self._recorded, self._said = recorded, said
        if self._reopen is not None:
            self._reopen(step, seconds)

    def go_on(
        self, step: int, seconds: float, players: Mapping[str, int], alerts: list[Alert], best: dict[str, Best]
    ) -> None:
        """Count on from a run before; `watch(resume=True)` and `load_state_dict` call this."""
        self._step, self.best = step, best
        self._recorded = step - step % record_interval(step)
        for player in self._players:
            player.steps = players.get(player.key, player.steps)
        self._loop.go_on()
        self._recorder.go_on(seconds)
        self._recorder.alerts[:] = alerts

    def flush(self) -> None:
        """End the window now, and hand over all that was measured."""
        if self._closed:
            return
        if self._fresh:
            self._end_window()
        self._recorder.land(True)

    def close(self) -> None:
        """Hand over what is left, take out all hooks and close the sinks. A second call does nothing."""
        if self._closed or os.getpid() != self._process:
            return
        try:
            self._guard.run("last record", self.flush)
        finally:
            self._closed = True
            self._loop.detach()
            self._outbox.close()
            atexit.unregister(self._at_exit)

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __deepcopy__(self, memo: dict[int, Any]) -> Monitor:
        return self  # a trainer that copies what it holds must not double the monitor

    def _of_its_player(self, signal: str, name: str | None) -> str:
        kind = signal.partition("_")[0]
        return next((each.signal(signal) for each in self._players if each.kind == kind and each.name == name), signal)

    def _scalar(self, signal: str, value: Tensor | float) -> None:
        self._fresh = True
        self._guard.run("observed numbers", self._recorder.scalar, signal, value, max(self._step, 1))

    def _move_to(self, step: int) -> None:
        if not isinstance(step, int) or isinstance(step, bool) or step < 0:
            raise UsageError(f"step is {shown(step)}, expected a whole number of 0 or more")
        if any(player.kind == "generator" and player.optimizers for player in self._players):
            # Detectors wait and look back in updates; images seen or epochs would make that far less or more.
            if step not in (self._step, self._step + 1):
                self._say(
                    "step",
                    f"step={step} changes nothing: its optimizer is watched, so the generator's updates are the steps,"
                    f" and this is step {self._step}",
                )
            return
        self._counted = False
        if step < self._step:
            self._say("step", f"step went back from {self._step} to {step}; give one that grows over the whole run")
            return
        self._step = step

    def _stepped(self, players: list[Player]) -> None:
        """After a step of an optimizer."""
        if not players:
            return
        self._fresh = True
        generators = any(player.kind == "generator" for player in players)
        if generators:
            self._lonely = 0
            self._step = max(self._step, *(each.steps for each in self._players if each.kind == "generator"))
            for evaluation in self._evaluations:
                if evaluation.player in players and evaluation.player.steps % evaluation.every == 0:
                    self._guard.run(f"evaluation {evaluation.name}", self._evaluate, evaluation)
        else:
            self._lonely += 1
        if self._lonely >= LONELY:
            self._end_window()
        else:
            self._close_window_if_due()
        self._guard.run("records", self._recorder.land)
        self._agree_if_due(generators=generators)

    def _evaluate(self, evaluation: Evaluation) -> None:
        networks = [each.network for each in self._players if each.network is not None]
        self._loop.suspended = True
        try:
            signals = evaluation.measure(networks)
        finally:
            self._loop.suspended = False
        self._recorder.qualities(signals)
        keep_best(self.best, self._step, signals)

    def _close_window_if_due(self) -> None:
        if self._step - self._recorded >= record_interval(self._recorded):
            self._end_window()
            if not self._loop.steps_are_seen:
                self._guard.run("agreement of all ranks", self._agree)

    def _end_window(self) -> None:
        self._lonely, self._fresh = 0, False
        self._recorded = self._step - self._step % record_interval(self._step)
        self._guard.run("records", self._recorder.close_window, self._step)

    def _raised(self, alert: Alert) -> None:
        wanted = alert.kind in self._settings.stop_on or self._settings.raises
        if wanted and at_least(alert.severity, "warning") and self._stop is None:
            self._stop = alert
            if _ranks() == 1:
                self._end(alert)

    def _agree_if_due(self, *, generators: bool) -> None:
        """Let the ranks agree now and then: after as many steps of optimizers as on each other rank.

        The step of the run and the end of a window are no such time: one rank may go on from another step, flush, or
        end alone, and a collective that the others do not join would hang the training or break it.
        """
        self._turns += generators
        self._waits = 0 if generators else self._waits + 1
        if self._turns >= AGREE or self._waits >= LONELY:
            self._turns = self._waits = 0
            self._guard.run("agreement of all ranks", self._agree)

    def _agree(self) -> None:
        """All ranks stop together, where one of them wants to."""
        if not self._settings.stops or _ranks() == 1 or self._stopping:
            return
        device = next((p.device for each in self._players if each.network for p in each.network.parameters()), "cpu")
        if torch.distributed.get_backend() == "gloo":
            device = "cpu"
        kinds = [None, "alert of an outside detector", *KINDS]
        kind = self._stop.kind if self._stop is not None else None
        place = kinds.index(kind) if kind in kinds else 1
        highest = torch.tensor(float(place), device=device)
        torch.distributed.all_reduce(highest, op=torch.distributed.ReduceOp.MAX)
        kind = kinds[int(highest.item())]
        if kind is not None:
            elsewhere = Alert(kind, "critical", self._step, self._step, "another process raised this alert")
            if self._stop is None:
                self._say("elsewhere", f"another process raised {kind}: all stop")
            self._end(self._stop or elsewhere)

    def _end(self, alert: Alert) -> None:
        """Stop the training: all ranks want to."""
        if self._stop_by is None:
            self._stop, self._stopping = alert, True
        else:
            self._stop = None
            self._stop_by(alert)

    def _check(self) -> None:
        """Before a step of an optimizer: stop the training where an alert asks for it."""
        if self._stopping and self._stop is not None:
            alert, self._stop, self._stopping = self._stop, None, False
            raise TrainingAlert(alert)

    def _say(self, key: str, text: str) -> None:
        """A note, once."""
        if key not in self._said:
            self._said.add(key)
            self._outbox.note(self._step, text)


def _signal(name: str) -> str:
    plain, at, player = str(name).partition("@")
    plain = ALIASES.get(plain, plain)
    if plain not in SIGNALS and not plain.startswith(QUALITY):
        raise UnknownNameError("signal", str(name), [*SIGNALS, *ALIASES])
    return f"{plain}{at}{player}"


def _ranks() -> int:
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if together else 1


def _close(monitor: weakref.ref[Monitor]) -> None:
    alive = monitor()
    if alive is not None:
        alive.close()
