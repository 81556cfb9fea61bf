"""MLflow: signals as metrics, alerts as tags and as a text; the active run, or `mlflow:EXPERIMENT`; needs mlflow."""

from __future__ import annotations

import time
from typing import Any

from gandiag.core.alert import Alert
from gandiag.core.errors import MissingExtraError, UsageError, printable, shown
from gandiag.core.signals import Record
from gandiag.monitor.sinks._text import markdown, one_line, tag

LONGEST_TAG = 500  # what every tracking server takes


class MLflow:
    """Logs metrics `gandiag/SIGNAL` to one run, whatever run is active by then.

    Args:
        client: an `MlflowClient`.
        run_id: the run.
        owned: whether to end the run on `close`.
    """

    def __init__(self, client: Any, run_id: str, *, owned: bool = False) -> None:
        self._client = client
        self._run_id = run_id
        self._owned = owned
        self._texts: list[str] = []

    def record(self, record: Record) -> None:
        """All signals in one request."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(tag(name), value, now, record.step) for name, value in record.signals.items()]
        self._client.log_batch(self._run_id, metrics=metrics)

    def alert(self, alert: Alert) -> None:
        """The tag `gandiag.KIND`, and the text in `gandiag/alerts.md`."""
        self._client.set_tag(self._run_id, f"gandiag.{printable(alert.kind)}", one_line(alert)[:LONGEST_TAG])
        self._texts.append(f"# step {alert.step}\n\n{markdown(alert)}\n")
        self._client.log_text(self._run_id, "\n".join(self._texts), "gandiag/alerts.md")

    def note(self, step: int, text: str) -> None:
        """The tag `gandiag.note.STEP`."""
        self._client.set_tag(self._run_id, f"gandiag.note.{step}", printable(text)[:LONGEST_TAG])

    def close(self) -> None:
        """End the run if it is gandiag's."""
        if self._owned:
            self._client.set_terminated(self._run_id)


def open_sink(target: str | None) -> MLflow:
    """`mlflow` for the active run, or else a new one; `mlflow:EXPERIMENT` for a new run of that experiment."""
    try:
        import mlflow
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise MissingExtraError("the sink mlflow", "mlflow-skinny", "mlflow") from error
    try:
        client = MlflowClient()
        active = mlflow.active_run()
        if target is None and active is not None:
            return MLflow(client, active.info.run_id)
        experiment = client.get_experiment_by_name(target or "Default")
        number = client.create_experiment(target or "Default") if experiment is None else experiment.experiment_id
        return MLflow(client, client.create_run(number).info.run_id, owned=True)
    except Exception as error:  # of a server that is away, or a store that this mlflow cannot use
        text = shown(str(error).partition("\n")[0])
        raise UsageError(f"the sink mlflow cannot begin a run: {text}; see MLFLOW_TRACKING_URI") from error


SINK = open_sink
