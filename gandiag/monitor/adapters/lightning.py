"""Lightning: a callback that watches a module with manual optimisation; needs lightning."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import attrgetter
from typing import Any, Literal

from torch import Tensor, nn
from torch.optim import Optimizer

from gandiag.core.alert import Alert
from gandiag.core.errors import MissingExtraError, UsageError, shown
from gandiag.monitor.monitor import Monitor
from gandiag.monitor.settings import Loss
from gandiag.monitor.sinks import Sink
from gandiag.monitor.watch import watch

try:
    from lightning.pytorch import Callback
except ImportError:
    try:
        from pytorch_lightning import Callback  # type: ignore[assignment]
    except ImportError as error:
        raise MissingExtraError("the Lightning callback", "lightning", "lightning") from error


class GANMonitor(Callback):
    """Watches the networks of a LightningModule from the first training step to the last.

    It is silent in sanity checks and with `fast_dev_run`. Steps are the generator's, whatever `trainer.global_step`
    says. Its state goes into checkpoints, so that a resumed run neither warms up again nor repeats an alert.

    Args:
        generator: attribute of the module that holds it, such as `netG` or `model.generator`; or names of several
            generators with their attributes.
        discriminator: the same.
        output_transform: makes a mapping of names to numbers, as of `Monitor.step`, from what `training_step`
            returned.
        run: folder of the log; none without it.
        loss: as of `gandiag.watch`.
        on_alert: as of `gandiag.watch`, but `raise` ends the training by `trainer.should_stop`.
        sinks: as of `gandiag.watch`.
        thresholds: as of `gandiag.watch`.
        stop_on: kinds of alerts that end the training by `trainer.should_stop`.
        held_out: as of `gandiag.watch`, on the device of the module.
        score: as of `gandiag.watch`.
        locate_nonfinite: as of `gandiag.watch`.
        max_overhead: as of `gandiag.watch`.

    Attributes:
        monitor: the Monitor, from the start of the training on; None before.

    Raises:
        UsageError: at the start of the training, where the module has no such network.
    """

    def __init__(
        self,
        generator: str | Mapping[str, str] = "generator",
        discriminator: str | Mapping[str, str] = "discriminator",
        *,
        output_transform: Callable[[Any], Mapping[str, Tensor | float]] | None = None,
        run: str | os.PathLike[str] | None = None,
        loss: Loss = "auto",
        on_alert: Literal["log", "raise"] | Callable[[Alert], object] = "log",
        sinks: Iterable[str | Sink | Callable[[Alert], object]] = ("console",),
        thresholds: Mapping[str, Mapping[str, Any] | bool] | None = None,
        stop_on: Iterable[str] = frozenset(),
        held_out: Tensor | tuple[Any, ...] | Mapping[str, Any] | None = None,
        score: Callable[[Any], Tensor] | None = None,
        locate_nonfinite: bool = False,
        max_overhead: float | None = 0.01,
    ) -> None:
        self.monitor: Monitor | None = None
        self._generator, self._discriminator, self._transform = generator, discriminator, output_transform
        self._watch = partial(
            watch,
            run=run,
            loss=loss,
            on_alert=on_alert,
            sinks=sinks,
            thresholds=thresholds,
            stop_on=stop_on,
            held_out=held_out,
            score=score,
            locate_nonfinite=locate_nonfinite,
            max_overhead=max_overhead,
        )
        self._state: dict[str, Any] | None = None  # of a checkpoint, until the monitor is made
        self._module: weakref.ref[nn.Module] | None = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Networks and optimizers are in place, and sanity checks are over."""
        if trainer.fast_dev_run:
            return
        state, self._state = self._state, None
        if state is None and self.monitor is not None and self._module is not None and self._module() is pl_module:
            state = self.monitor.state_dict()  # `fit` is called again
        generators = _networks(pl_module, "generator", self._generator)
        discriminators = _networks(pl_module, "discriminator", self._discriminator)
        self.monitor = self._watch(
            generators,
            discriminators,
            _optimizers_of(generators, trainer.optimizers),
            _optimizers_of(discriminators, trainer.optimizers),
            resume=False if state is None else int(state["step"]),
        )
        self._module = weakref.ref(pl_module)
        if state is not None:
            self.monitor.load_state_dict(state)

        def stop(_: Alert) -> None:
            trainer.should_stop = True

        self.monitor.stop_by(stop)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Hand over the numbers that the training step returned."""
        if self._transform is not None and self.monitor is not None and outputs is not None:
            self.monitor.step(self._transform(outputs))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Write what is left."""
        self._close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Write what is left."""
        self._close()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        if self.monitor is not None and self.monitor.active:
            return self.monitor.state_dict()
        return self._state or {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint, once the training starts."""
        self._state = state_dict or None

    def _close(self) -> None:
        if self.monitor is not None:
            self.monitor.close()


def _networks(module: nn.Module, kind: str, wanted: str | Mapping[str, str]) -> nn.Module | dict[str, nn.Module]:
    if isinstance(wanted, Mapping):
        return {name: _network(module, kind, attribute) for name, attribute in wanted.items()}
    return _network(module, kind, wanted)


def _network(module: nn.Module, kind: str, attribute: str) -> nn.Module:
    try:
        found = attrgetter(attribute)(module)
    except AttributeError:
        found = None
    if not isinstance(found, nn.Module):
        known = ", ".join(name for name, _ in module.named_children()) or "none"
        raise UsageError(
            f"{type(module).__name__} has no network {shown(attribute)}; its networks are {known}; name one by"
            f" GANMonitor({kind}=...)"
        )
    return found


def _optimizers_of(networks: nn.Module | dict[str, nn.Module], optimizers: list[Optimizer]) -> list[Optimizer]:
    each = networks.values() if isinstance(networks, dict) else [networks]
    own = {id(parameter) for network in each for parameter in network.parameters()}
    return [
        optimizer
        for optimizer in optimizers
        if any(id(parameter) in own for group in optimizer.param_groups for parameter in group["params"])
    ]
