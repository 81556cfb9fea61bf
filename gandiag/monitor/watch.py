"""`gandiag.watch`: one line before a training loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gandiag._version import __version__
from gandiag.core.alert import KINDS, Alert
from gandiag.core.errors import InputError, UnknownNameError, UsageError, shown
from gandiag.core.run_log import FILE_NAME, RunLog, read_run_log
from gandiag.core.signals import Record
from gandiag.monitor.capture.players import Player, find_players
from gandiag.monitor.engine import Engine
from gandiag.monitor.monitor import Monitor
from gandiag.monitor.outbox import Outbox
from gandiag.monitor.quality import best_of
from gandiag.monitor.settings import Loss, Settings
from gandiag.monitor.sinks import Sink, open_sinks
from gandiag.monitor.sinks.jsonl import RunLogWriter
from gandiag.monitor.thresholds import Thresholds, as_mapping

Networks = nn.Module | Mapping[str, nn.Module] | None
Optimizers = Optimizer | Sequence[Optimizer] | Mapping[str, Optimizer] | None


def watch(
    generator: Networks,
    discriminator: Networks,
    g_optimizer: Optimizers = None,
    d_optimizer: Optimizers = None,
    *,
    run: str | os.PathLike[str] | None = None,
    loss: Loss = "auto",
    on_alert: Literal["log", "raise"] | Callable[[Alert], object] = "log",
    sinks: Iterable[str | Sink | Callable[[Alert], object]] = ("console",),
    thresholds: Thresholds | str | os.PathLike[str] | None = None,
    stop_on: Iterable[str] = frozenset(),
    held_out: Tensor | tuple[Any, ...] | Mapping[str, Any] | None = None,
    score: Callable[[Any], Tensor] | None = None,
    scaler: torch.amp.GradScaler | None = None,
    resume: bool | int = False,
    locate_nonfinite: bool = False,
    max_overhead: float | None = 0.01,
) -> Monitor:
    """Watch the training of a GAN, and tell early what is going wrong. The training itself is not changed by a bit.

    Call it once, when networks and optimizers are made, and leave the loop as it is. Hooks read gradients, scores and
    samples; `Monitor.observe` hands over what they cannot read. The environment variable GANDIAG=0 switches it off.

    Args:
        generator: network, or names with networks. `None` where numbers come by `Monitor.step` alone.
        discriminator: the same.
        g_optimizer: its optimizer, several of them, or names with optimizers.
        d_optimizer: the same. One optimizer of both players is split by its parameters.
        run: folder whose `run.jsonl` takes the log; none without it. A log that lies there is kept under another name.
        loss: that judges with the discriminator's outputs. `auto` tells it from its derivatives.
        on_alert: `raise` stops the training with `TrainingAlert` at the step after a warning; a function is called with
            each alert.
        sinks: where alerts go beside the log: names, as of `gandiag list sinks`, functions of an alert, or objects.
        thresholds: kind of alert to threshold to value; `{kind: False}` silences one. Or a TOML file of them.
        stop_on: kinds of alerts that stop the training with `TrainingAlert`.
        held_out: real samples that are not trained on: a batch, or the tuple of a discriminator's arguments, or names
            of discriminators with either. They tell overfitting.
        score: picks one score a sample, the higher the more real, from the discriminator's output.
        scaler: of mixed precision; where it is not given it is found when it steps.
        resume: go on with the log in `run`, or without a log where there is none. The step is taken from the
            optimizers' state, else from the log; or give it.
        locate_nonfinite: look for the module that makes the first NaN, at some cost.
        max_overhead: share of the time that the monitor may take; None measures every tenth step whatever it takes.

    Raises:
        UsageError: an argument cannot be used as it is.
        UnknownNameError: a sink, threshold or kind of alert does not exist.
        InputError: the log cannot be read or written, or the thresholds' file cannot be read.
    """
    if os.environ.get("GANDIAG") == "0":
        return Monitor([], Settings(), Engine(), Outbox([]), active=False)
    players = find_players(generator, discriminator, g_optimizer, d_optimizer)
    settings = Settings(
        loss=_one_of("loss", loss, get_args(Loss)),
        raises=on_alert == "raise",
        stop_on=_kinds(stop_on),
        held_out=_held_out(players, held_out),
        score=score,
        scaler=scaler,
        locate_nonfinite=locate_nonfinite,
        max_overhead=_share(max_overhead),
    )
    if not callable(on_alert):
        _one_of("on_alert", on_alert, ("log", "raise"))
    if type(resume) is not bool and not (type(resume) is int and resume >= 0):
        raise UsageError(f"resume is {shown(resume)}, expected True, False or a step")
    limits = as_mapping(thresholds)
    engine = Engine(limits)
    speaks = _rank() == 0
    earlier = None if resume is False else _Earlier(players, _log_of(run, speaks=speaks), resume)
    if not speaks:
        return _gone_on(Monitor(players, settings, engine, Outbox([])), engine, earlier)
    opened = open_sinks([*sinks, *([on_alert] if callable(on_alert) else [])])
    outbox = Outbox(opened)
    header = _header(players, settings, limits, told=earlier is not None and earlier.limited)
    if run is None:
        return _gone_on(Monitor(players, settings, engine, outbox), engine, earlier)
    folder, kept = Path(run), (Path(run) / FILE_NAME).exists() and earlier is None
    step, seconds = (earlier.step, earlier.time) if earlier else (0, 0.0)
    try:
        log = RunLogWriter(folder, header, resume=earlier is not None and earlier.found, step=step, time=seconds)
    except BaseException:
        outbox.close()
        raise
    outbox.sinks.insert(0, log)

    def reopen(at: int, time: float) -> None:
        place = next((i for i, sink in enumerate(outbox.sinks) if isinstance(sink, RunLogWriter)), None)
        if place is not None:
            outbox.sinks[place].close()
            outbox.sinks[place] = RunLogWriter(folder, header, resume=True, step=at, time=time)

    monitor = Monitor(players, settings, engine, outbox, reopen=reopen)
    if kept:
        outbox.note(
            0, f"the log of an earlier run in {shown(folder)} is kept under another name; resume=True goes on with it"
        )
    return _gone_on(monitor, engine, earlier)


def _log_of(run: str | os.PathLike[str] | None, *, speaks: bool) -> RunLog | None:
    """The log that lies in a run's folder, if there is one.

    All ranks read it, so that all go on from one step with detectors that are warm. On another machine it may lie
    elsewhere, and the rank that writes it may be about to begin it: that is no fault of the other ranks.
    """
    if run is None or not (Path(run) / FILE_NAME).is_file():
        return None
    try:
        return read_run_log(run)
    except InputError:
        if speaks:
            raise
        return None


def _gone_on(monitor: Monitor, engine: Engine, earlier: _Earlier | None) -> Monitor:
    """The monitor, where the run before ended."""
    if earlier is not None:
        alerts = [alert for record in earlier.records for alert in engine.update(record)]
        monitor.go_on(earlier.step, earlier.time, earlier.steps, alerts, best_of(earlier.records))
    return monitor


class _Earlier:
    """What a resumed run goes on from.

    Attributes:
        found: whether there is a log.
        limited: whether it names thresholds.
        step: of the run that is gone on from.
        time: seconds until then.
        records: until then.
        steps: of each player.
    """

    def __init__(self, players: list[Player], log: RunLog | None, resume: bool | int) -> None:
        self.found = log is not None
        records: tuple[Record, ...] = log.records if log else ()
        self.limited = log is not None and "thresholds" in log.header
        saved = {player.key: _saved_steps(player) for player in players}
        generators = [saved[player.key] for player in players if player.kind == "generator"]
        if resume is not True:
            self.step = int(resume)
        elif any(generators):
            self.step = max(generators)
        else:
            self.step = records[-1].step if records else 0
        self.records = [record for record in records if record.step <= self.step]
        self.time = self.records[-1].time if self.records else 0.0
        last = self.records[-1].signals if self.records else {}
        self.steps = {
            player.key: saved[player.key] or int(last.get(player.signal(f"{player.kind}_steps"), 0))
            for player in players
        }
        # The run's step is that of the generator with the most; whatever it goes on from, it has to count on.
        counted = [player.key for player in players if player.kind == "generator"]
        most = max((self.steps[key] for key in counted), default=0)
        self.steps |= {key: max(0, self.steps[key] + self.step - most) for key in counted}


def _saved_steps(player: Player) -> int:
    """Steps in the state of a player's optimizers, as Adam keeps them; 0 where there are none."""
    counts = [0]
    for optimizer in player.optimizers:
        for parameter in player.trained(optimizer)[:1]:
            count = optimizer.state.get(parameter, {}).get("step", 0)
            counts.append(int(count))
    return max(counts)


def _header(players: list[Player], settings: Settings, thresholds: Thresholds | None, *, told: bool) -> dict[str, Any]:
    sizes = {
        player.key: sum(parameter.numel() for parameter in player.network.parameters())
        for player in players
        if player.network is not None
    }
    # The user's own alone: a later gandiag reads an old log with the limits that it thinks right then.
    own = {kind: value if isinstance(value, bool) else dict(value) for kind, value in (thresholds or {}).items()}
    return {
        "players": sizes,
        "loss": settings.loss,
        **({"thresholds": own} if own or told else {}),
        "versions": {"gandiag": __version__, "torch": torch.__version__},
    }


def _held_out(players: list[Player], held_out: Any) -> dict[str, tuple[Any, ...]] | None:
    if held_out is None:
        return None
    judges = [player for player in players if player.kind == "discriminator" and player.network is not None]
    batches = held_out if isinstance(held_out, Mapping) else {player.name: held_out for player in judges}
    known = {player.name: player.key for player in judges}
    found = {}
    for name, batch in batches.items():
        if name not in known:
            raise UnknownNameError("discriminator", str(name), [str(each) for each in known if each])
        arguments = batch if isinstance(batch, tuple) else (batch,)
        if not arguments or not isinstance(arguments[0], Tensor) or not len(arguments[0]):
            raise UsageError("held_out is no batch of samples; expected a tensor, or a tuple that begins with one")
        found[known[name]] = arguments
    return found


def _kinds(kinds: Iterable[str]) -> frozenset[str]:
    wanted = [kinds] if isinstance(kinds, str) else list(kinds)
    for kind in wanted:
        if kind not in KINDS:
            raise UnknownNameError("kind of alert", str(kind), KINDS)
    return frozenset(wanted)


def _one_of(name: str, value: Any, known: Iterable[str]) -> Any:
    if value not in tuple(known):
        raise UsageError(f"{name} is {shown(value)}, expected one of {', '.join(known)}")
    return value


def _share(value: float | None) -> float | None:
    if value is not None and not (isinstance(value, int | float) and 0 < value <= 1):
        raise UsageError(f"max_overhead is {shown(value)}, expected a share between 0 and 1, or None")
    return value


def _rank() -> int:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank()
    rank = os.environ.get("RANK", "0")
    return int(rank) if rank.isdigit() else 0
