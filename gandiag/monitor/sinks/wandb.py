"""Weights & Biases: signals as metrics, alerts as its alerts; the active run, or `wandb:PROJECT`; needs wandb."""

from __future__ import annotations

from typing import Any

from gandiag.core.alert import Alert
from gandiag.core.errors import MissingExtraError, UsageError, printable, shown
from gandiag.core.signals import Record
from gandiag.monitor.sinks._text import markdown, tag

LONGEST_TITLE = 63  # of an alert
LEVELS = {"info": "INFO", "warning": "WARN", "critical": "ERROR"}


class WandB:
    """Logs metrics `gandiag/SIGNAL` over `gandiag/step`.

    Args:
        run: a run of wandb.
        owned: whether the run is gandiag's alone. In a run of the user's own, values wait for the user's next
            `log` call: a row of our own would advance the run's step, and wandb drops rows of earlier steps.
    """

    def __init__(self, run: Any, *, owned: bool = False) -> None:
        self._run = run
        self._owned = owned
        run.define_metric("gandiag/step")
        run.define_metric("gandiag/*", step_metric="gandiag/step")

    def record(self, record: Record) -> None:
        """A metric for each signal."""
        values = {tag(name): value for name, value in record.signals.items()}
        self._run.log({"gandiag/step": record.step, **values}, commit=self._owned)

    def alert(self, alert: Alert) -> None:
        """An alert, which wandb sends as its user has set up."""
        title = printable(f"gandiag: {alert.kind} at step {alert.step}")[:LONGEST_TITLE]
        self._run.alert(title=title, text=markdown(alert), level=LEVELS[alert.severity], wait_duration=0)

    def note(self, step: int, text: str) -> None:
        """In the run's summary."""
        self._run.summary[f"gandiag/note at step {step}"] = printable(text)

    def close(self) -> None:
        """End the run if it is gandiag's."""
        if self._owned:
            self._run.finish()


def open_sink(target: str | None) -> WandB:
    """`wandb` for the active run, or else a new one; `wandb:PROJECT` for a new run of that project."""
    try:
        import wandb
    except ImportError as error:
        raise MissingExtraError("the sink wandb", "wandb", "wandb") from error
    if target is None and wandb.run is not None:
        return WandB(wandb.run)
    try:
        return WandB(wandb.init(project=target, reinit="create_new"), owned=True)
    except Exception as error:  # of a server that is away, or a missing key
        text = shown(str(error).partition("\n")[0])
        raise UsageError(f"the sink wandb cannot begin a run: {text}; log in, or set WANDB_MODE=offline") from error


SINK = open_sink
