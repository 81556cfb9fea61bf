"""A training loop, read through hooks: what it does at each step goes as numbers into buffers."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gandiag.monitor.buffer import Buffers, Measurement
from gandiag.monitor.capture.discriminators import Call, Judge, Phase
from gandiag.monitor.capture.non_finite import FirstBad
from gandiag.monitor.capture.optimizers import LOOKS, Stepping, scaler_on_the_stack
from gandiag.monitor.capture.outputs import Fakes
from gandiag.monitor.capture.players import Player
from gandiag.monitor.capture.scores import judgement, selected
from gandiag.monitor.guard import Guard
from gandiag.monitor.hooks import Hook, Removable
from gandiag.monitor.measure.confidence import LossKind
from gandiag.monitor.measure.diversity import Collector, diversity
from gandiag.monitor.measure.gradients import Travel
from gandiag.monitor.measure.window import Losses
from gandiag.monitor.pace import Pace
from gandiag.monitor.restore import unnoticed
from gandiag.monitor.rhythm import record_interval
from gandiag.monitor.settings import Settings

TRAVEL = 100  # steps of a player over which the way of its weights is measured
LEARNT = 1000  # phases after which nothing more is tried to tell the loss
ASK = "call monitor.observe(real_logits=..., fake_logits=..., real=..., fake=...) in the discriminator's step"

_LOSSES: dict[str, LossKind] = {
    "bce": "bce",
    "lsgan": "lsgan",
    "hinge": "hinge",
    "wgan": "wgan",
    "wgan-gp": "wgan",
    "relativistic": "relativistic",
}


class Loop:
    """The hooks of a monitor.

    Args:
        players: all of them.
        settings: what the user asked for.
        guard: runs the parts of the monitor.
        before: called before each step of an optimizer; may raise to stop the training.
        after: called after it with the players that stepped.
        now: the step of the run.
        say: takes a key and a note that the user should see once.

    Attributes:
        suspended: whether calls of the networks are the monitor's own.
    """

    def __init__(
        self,
        players: list[Player],
        settings: Settings,
        guard: Guard,
        *,
        before: Callable[[], None],
        after: Callable[[list[Player]], None],
        now: Callable[[], int],
        say: Callable[[str, str], None],
    ) -> None:
        self.players, self.settings, self.guard = players, settings, guard
        self.buffers, self.fakes = Buffers(), Fakes()
        self.pace = Pace(settings.max_overhead)
        self.suspended = False
        self.scalers: list[Any] = []  # of mixed precision, all that scaled something so far
        self._scaled: set[str] = set()  # players whose gradients they scaled
        self.scaled_steps = 0  # of those players in the last whole window
        self._check, self._after_step, self._now, self._say = before, after, now, say
        self.said_scores: set[str] = set()  # discriminators whose scores the user hands over
        self.said_samples: set[str] = set()
        self._hooks = Removable()
        self.judges: dict[str, Judge] = {}
        self.losses: dict[str, Losses] = {}
        self._collectors: dict[str, Collector] = {}
        self._travels: dict[str, Travel] = {}
        self._stride = 1  # steps of the run for each of a discriminator's
        self._steps_before: dict[str, int] = {}
        self._attach()
        networks = {player.key: player.network for player in players if player.network is not None}
        self.first_bad = FirstBad(networks, self._hooks) if settings.locate_nonfinite else None

    @property
    def steps_are_seen(self) -> bool:
        """Whether there are optimizers whose steps can be counted."""
        return any(player.optimizers for player in self.players)

    def go_on(self) -> None:
        """Count the open window's steps from where the players are now."""
        self._steps_before = {each.key: each.steps for each in self.players}

    def detach(self) -> None:
        """Take out all hooks."""
        self._hooks.remove()

    def tracked(self) -> bool:
        """Whether a step that may come next is measured."""
        return any(self.pace.tracked(player.steps) for player in self.players) or self.collecting()

    def collecting(self) -> bool:
        """Whether the window's last steps are near, whose samples are looked at."""
        step = self._now()
        interval = record_interval(step)
        batches = max((each.batches for each in self._collectors.values()), default=0)
        return step % interval >= interval - batches * self._stride

    def observed_samples(self, key: str, side: str, samples: Tensor) -> None:
        """Take samples that the user handed over, if they are wanted now."""
        collector = self._collectors.setdefault(key, Collector())
        if self.collecting() or not collector.full(side):
            collector.add(side, samples)

    def counts(self, measurement: Measurement) -> bool:
        """Whether a measurement goes into the record: the user's own scores go before those that hooks read."""
        if measurement.kind in ("scores", "observed"):
            return (measurement.kind == "observed") == (measurement.player in self.said_scores)
        return measurement.kind != "layout"

    def learn(self, measurements: list[Measurement]) -> None:
        """Take in what devices said of the inputs of discriminators, and say what cannot be read."""
        for each in measurements:
            if each.kind == "layout":
                judge = self.judges[each.player.partition(" ")[0]]
                judge.learn(each.player, [bool(flag) for flag in each.parts[0]])
        for key, judge in self.judges.items():
            judge.look_back()
            why = judge.trouble
            told = key in self.said_samples or not (judge.blind or judge.doubt)
            if why and not (key in self.said_scores and told):
                self._say(key, f"the outputs of the {key} cannot be read: {why}; {ASK}")
        if self.first_bad is not None:
            found = self.guard.run("search for non-finite outputs", self.first_bad.found)
            if found is not None:
                self._say("non_finite", f"the first output that was not finite came from {found[0]} at step {found[1]}")

    def complaints(self) -> list[str]:
        """What cannot be read, a line each."""
        return [f"{key}: unreadable, {judge.trouble}" for key, judge in self.judges.items() if judge.trouble]

    def end_window(self) -> None:
        """Measure what is measured once in a window."""
        step = self._now()
        for key, collector in self._collectors.items():
            self.guard.run("sample statistics", self._diversity, key, collector, step)
        if self.settings.held_out is not None:
            for key, batch in self.settings.held_out.items():
                self.guard.run("held-out scores", self._held_out, self.judges[key], batch, step)
        taken = {each.key: each.steps - self._steps_before.get(each.key, 0) for each in self.players}
        self.go_on()
        self._learn_stride(taken)
        self.scaled_steps = sum(taken[key] for key in self._scaled)
        most = max((player.steps for player in self.players), default=0)
        self.pace.adapt(time.perf_counter(), most)

    def _learn_stride(self, taken: dict[str, int]) -> None:
        """Samples come with a discriminator's steps, which may be rarer than those of the run."""
        run = max((taken[each.key] for each in self.players if each.kind == "generator"), default=0)
        strides = [-(-run // taken[key]) for key in self.judges if taken[key] > 0]
        self._stride = max(strides, default=1)

    def _attach(self) -> None:
        optimizers = {id(each): each for player in self.players for each in player.optimizers}
        for optimizer in optimizers.values():
            # A player's steps are those of the optimizer that holds most of it.
            owned = [player for player in self.players if player.optimizers and player.main_optimizer is optimizer]
            updated = {player.kind for player in self.players if optimizer in player.optimizers}
            third = not owned and len(updated) > 1
            Stepping(optimizer, owned, self._before, self._after, self._hooks, third=third)
        for player in self.players:
            if player.kind == "discriminator":
                self.losses[player.key] = Losses(_LOSSES.get(self.settings.loss), _ends_in_sigmoid(player.network))
            if player.network is None or not player.optimizers:
                continue
            if player.kind == "generator":
                hook = Hook(partial(self._timed, "generator outputs", self._generated))
            else:
                judge = Judge(player, self.fakes, self.buffers, self.settings.score)
                judge.keeps = self.settings.held_out is not None
                self.judges[player.key] = judge
                self._collectors[player.key] = Collector()
                hook = Hook(partial(self._timed, "discriminator outputs", self._judged, judge))
            self._hooks.add(player.network.register_forward_hook(hook, with_kwargs=True))

    def _timed(self, part: str, function: Callable[..., None], *arguments: Any) -> None:
        begun = time.perf_counter()
        self.guard.run(part, function, *arguments)
        self.pace.spent += time.perf_counter() - begun

    def _generated(self, module: nn.Module, arguments: Any, named: Any, output: Any) -> None:
        if not self.suspended and not _is_replica(module):
            self.fakes.remember((arguments, named), output)

    def _judged(self, judge: Judge, module: nn.Module, arguments: Any, named: Any, output: Any) -> None:
        if not self.suspended and torch.is_grad_enabled() and not _is_replica(module):
            judge.take(self._now(), self.tracked(), arguments, named, output)

    def _before(self, stepping: Stepping) -> None:
        self._check()
        begun = time.perf_counter()
        if stepping.scaler is None and stepping.looks < LOOKS:
            stepping.looks += 1
            stepping.scaler = self.settings.scaler or scaler_on_the_stack()
        self.guard.run("gradient norms", self._gradients, stepping)
        self.guard.run("discriminator outputs", self._phase, stepping)
        self.fakes.let_go()
        self.pace.spent += time.perf_counter() - begun

    def _after(self, stepping: Stepping) -> None:
        begun = time.perf_counter()
        for player in stepping.players:
            player.steps += 1
            if player.steps % TRAVEL == 0 or player.steps == 1:
                self.guard.run("weights", self._weights, stepping, player)
        self._after_step(stepping.players)
        if self.first_bad is not None:
            self.first_bad.step = self._now() + 1
        self.pace.spent += time.perf_counter() - begun

    def _gradients(self, stepping: Stepping) -> None:
        step = self._now() + 1
        for player in stepping.players:
            if self.pace.tracked(player.steps):
                with torch.no_grad():
                    stepping.norms(player, step, stepping.scale, self.buffers)
                scale = self._scale(stepping)
                if scale is not None:
                    self._scaled.add(player.key)
                    self.buffers.put("scale", self._scaler_name(stepping), step, scale)

    def _weights(self, stepping: Stepping, player: Player) -> None:
        with torch.no_grad():
            travel = self._travels.setdefault(player.key, Travel())
            way, norm = travel.look(stepping.parameters(player))
            numbers = [norm] if way is None else [norm, way.to(norm.device)]
            self.buffers.put("weights", player.key, self._now() + 1, *numbers)

    def _phase(self, stepping: Stepping) -> None:
        kinds = {player.kind for player in stepping.players}
        own = {player.key for player in stepping.players}
        collecting = self.collecting()
        with torch.no_grad():
            for key, judge in self.judges.items():
                if key in own:
                    judge.collector = self._collectors[key] if collecting else None
                    phase: Phase = "discriminator"
                elif "generator" in kinds:
                    phase = "generator"
                else:
                    if stepping.third:
                        judge.calls.clear()
                    continue
                loss = self.losses[key]
                learning = not loss.evidence.known and loss.evidence.phases < LEARNT and self.settings.loss == "auto"
                judge.probable = loss.kind == "probability"
                measured = self.pace.tracked(judge.player.steps)
                judge.resolve(self._now() + 1, phase, measured=measured, learning=learning, scale=self._scale(stepping))

    def _scale(self, stepping: Stepping) -> Tensor | None:
        """What the loss of a step was multiplied by; each optimizer may have a scaler of its own."""
        scaler = stepping.scaler
        scale = getattr(scaler, "_scale", None)
        if scaler is not None and scaler.is_enabled() and isinstance(scale, Tensor):
            return scale
        return stepping.scale

    def _scaler_name(self, stepping: Stepping) -> str:
        """The place of a step's scaler among all; nothing where a fused optimizer knows the scale alone."""
        if stepping.scaler is None:
            return ""
        if all(each is not stepping.scaler for each in self.scalers):
            self.scalers.append(stepping.scaler)
        return str(next(place for place, each in enumerate(self.scalers) if each is stepping.scaler))

    def _diversity(self, key: str, collector: Collector, step: int) -> None:
        taken = collector.take()
        if taken is None:
            return
        real, fake = taken
        self.buffers.put("samples", key, step, fake.sum())
        self.buffers.put("diversity", key, step, *diversity(real=real, fake=fake))

    def _held_out(self, judge: Judge, batch: tuple[Any, ...], step: int) -> None:
        network = judge.player.network
        if network is None:
            return
        self.suspended = True
        try:
            with unnoticed([network]):
                network.eval()
                scores = [self._scores(network, batch, {})]
                if judge.last.keys() == {"real", "fake"}:
                    for side in ("real", "fake"):
                        call: Call = judge.last[side]
                        scores.append(self._scores(network, *call.arguments)[call.rows[side]])
                self.buffers.put("held_out", judge.player.key, step, *scores)
        finally:
            self.suspended = False

    def _scores(self, network: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> Tensor:
        output = network(*arguments, **named)
        judged = next(value for value in (*arguments, *named.values()) if isinstance(value, Tensor))
        raw = (
            judgement(output, judged) if self.settings.score is None else selected(self.settings.score(output), judged)
        )
        return raw.per_sample(judged)


def _is_replica(module: nn.Module) -> bool:
    """Whether it is one of `DataParallel`'s copies, which see a part of a batch on a thread of their own."""
    return bool(getattr(module, "_is_replica", False))


def _ends_in_sigmoid(network: nn.Module | None) -> bool:
    return network is not None and isinstance(list(network.modules())[-1], nn.Sigmoid)
