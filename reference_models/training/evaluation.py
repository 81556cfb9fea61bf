"""Scores along a run: one line of JSON each time, and the best checkpoint kept."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import gandiag
from gandiag import InputError, UsageError
from reference_models.training.files import written_whole
from reference_models.training.folder import Folder
from reference_models.training.options import Options
from reference_models.training.parallel import Team


class Evaluation:
    """Scores the saved checkpoint.

    Args:
        folder: of the run.
        options: which scores, of how many samples.
        device: where the scoring is done.
        team: processes of the run, all of which must call `score`.
        write: a checkpoint of the run as it is now, to a path.
    """

    def __init__(
        self, folder: Folder, options: Options, device: str, team: Team, write: Callable[[Path], None] | None = None
    ) -> None:
        self._folder, self._options, self._device, self._team, self._checkpoint = folder, options, device, team, write
        self._past: list[dict[str, Any]] = []

    def check(self) -> None:
        """Refuse metrics that do not exist or do not fit the run, before there is anything to score.

        Raises:
            UsageError: one does not, none is named, or the number of samples is none.
            InputError: one does not fit the samples, or a file that it needs is missing or damaged.
        """
        nothing = torch.empty(0, 1)
        with contextlib.suppress(InputError):  # that there are no samples, which is found after all else
            gandiag.score(nothing, list(self._options.metrics), samples=self._options.evaluate_samples)
        if self._checkpoint is None or self._team.size > 1:
            return  # of several processes one alone could not stop
        with tempfile.TemporaryDirectory(prefix="gandiag-") as folder, contextlib.suppress(_BegunError):
            path = Path(folder) / "checkpoint.pt"
            self._checkpoint(path)
            self._scored(path, _stop)

    def go_on(self, step: int) -> None:
        """Take up what was scored until `step`; later lines belong to a part of the run that was undone.

        Raises:
            InputError: the file is damaged.
        """
        if not self._folder.evaluations.exists():
            return
        try:
            lines = self._folder.evaluations.read_text(encoding="utf-8").splitlines()
            past = [json.loads(line) for line in lines]
            self._past = [line for line in past if line["step"] <= step]
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"{self._folder.evaluations} cannot be read: {error}"
            raise InputError(f"{message}; delete it to go on without the earlier scores") from error
        if self._team.leads and len(self._past) < len(past):
            self._write()

    def has(self, step: int) -> bool:
        """Whether the step was scored."""
        return any(line["step"] == step for line in self._past)

    def score(self, step: int) -> dict[str, float]:
        """Score the checkpoint on the disk, note it, and keep the checkpoint where it is the best so far.

        Raises:
            UsageError: a metric does not exist or does not fit the data.
        """
        if self.has(step):
            return {}
        name, better, found, errors = self._measured()
        values = {key: value for key, value in found.items() if value is not None}
        line: dict[str, Any] = {"step": step, "scores": values}
        if errors:
            line["stderr"] = {key: error for key, error in errors.items() if key in values}
        sign = 1 if better == "higher" else -1
        before = [sign * past["scores"][name] for past in self._past if name in past["scores"]]
        self._past.append(line)
        if self._team.leads:
            self._write()
            if name in values and all(sign * values[name] > value for value in before):
                _copy(self._folder.checkpoint, self._folder.best)
        return values

    def _measured(self) -> tuple[str, str, dict[str, float | None], dict[str, float | None]]:
        """The score that decides, whether `higher` or `lower` is better, and all scores with their errors."""
        result = self._scored(self._folder.checkpoint)
        name, first = next(iter(result.scores.items()))
        if first.better is None:
            raise UsageError(f"--metric: {name} says of no value that it is better; put another metric first")
        scores = result.scores.items()
        return name, first.better, {k: score.value for k, score in scores}, {k: score.stderr for k, score in scores}

    def _scored(self, checkpoint: Path, progress: Callable[..., None] | None = None) -> gandiag.Result:
        return gandiag.score(
            checkpoint,
            list(self._options.metrics),
            samples=self._options.evaluate_samples,
            device=self._device,
            progress=progress,
            **self._options.data,
        )

    def _write(self) -> None:
        with written_whole(self._folder.evaluations) as temporary:
            text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in self._past)
            temporary.write_text(text, encoding="utf-8")


class _BegunError(Exception):
    """The scoring has begun, so that all that could be refused was looked at."""


def _stop(progress: object) -> None:
    raise _BegunError


def _copy(source: Path, target: Path) -> None:
    with written_whole(target) as temporary:
        shutil.copyfile(source, temporary)
