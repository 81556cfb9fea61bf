"""Which of the two loops a recipe needs: that of noise, or that of images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reference_models.training import loop, translation
from reference_models.training.drive import Course, Report, drive
from reference_models.training.parallel import ALONE, Team
from reference_models.training.run import Run


def prepare(run: Run, crew: Team = ALONE) -> Course:
    """Build all that a run needs; raises as `loop.prepare` and `translation.prepare` do."""
    return loop.prepare(run, crew) if run.recipe.task is None else translation.prepare(run, crew)


def train(run: Run, report: Report, config: Mapping[str, Any], resume: bool) -> Path:
    """Train to the last step and return the path of the checkpoint; see `drive`."""
    return drive(run, lambda crew: prepare(run, crew), report, config, resume)
