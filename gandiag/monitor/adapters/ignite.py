"""Ignite: a monitor that lives with a trainer's engine; needs pytorch-ignite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from gandiag.core.errors import MissingExtraError
from gandiag.monitor.monitor import Monitor


def attach(
    trainer: Any,
    monitor: Monitor,
    output_transform: Callable[[Any], Mapping[str, Tensor | float]] | None = None,
) -> Monitor:
    """Let an engine end by itself where the monitor's alerts ask for it, and hand over what its steps return.

    Args:
        trainer: an `ignite.engine.Engine`.
        monitor: from `gandiag.watch`; `gandiag.watch(None, None)` where numbers are all that there is. Kinds of
            `stop_on` end the run by `trainer.terminate()` instead of an exception.
        output_transform: makes a mapping of names to numbers, as of `Monitor.step`, from `engine.state.output`, such
            as `lambda output: {"d_loss": output["errD"], "real_confidence": output["D_x"]}`.

    Returns:
        The monitor; `Checkpoint({"monitor": monitor, ...})` keeps its state.

    Raises:
        MissingExtraError: ignite is not installed.
    """
    try:
        from ignite.engine import Events
    except ImportError as error:
        raise MissingExtraError("the Ignite handler", "pytorch-ignite", "ignite") from error

    def completed(engine: Any) -> None:
        if output_transform is not None:
            monitor.step(output_transform(engine.state.output))

    def stop(_: object) -> None:
        trainer.terminate()

    trainer.add_event_handler(Events.ITERATION_COMPLETED, completed)
    trainer.add_event_handler(Events.COMPLETED, lambda: monitor.flush())
    monitor.stop_by(stop)
    return monitor
