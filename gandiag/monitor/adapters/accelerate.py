"""Accelerate: a monitor that sets the accelerator's trigger, and goes into its checkpoints."""

from __future__ import annotations

from typing import Any

from gandiag.monitor.monitor import Monitor


def attach(accelerator: Any, monitor: Monitor) -> Monitor:
    """Let alerts set the accelerator's trigger, and keep the monitor's state in its checkpoints.

    Args:
        accelerator: an `accelerate.Accelerator`.
        monitor: from `gandiag.watch`, with the networks and optimizers that `accelerator.prepare` returned. Kinds of
            `stop_on` call `accelerator.set_trigger()` on all processes instead of raising an exception; the loop ends
            itself with `if accelerator.check_trigger(): break`.

    Returns:
        The monitor. `save_state` and `load_state` include it.
    """

    def stop(_: object) -> None:
        accelerator.set_trigger()

    monitor.stop_by(stop)
    accelerator.register_for_checkpointing(monitor)
    return monitor
