"""What `gandiag train` asks of a trainer, which it finds through the entry-point group `gandiag.trainers`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gandiag.core.errors import UnknownNameError
from gandiag.core.registry import Registry


@dataclass(frozen=True)
class TrainingRequest:
    """One run.

    Attributes:
        recipe: name of the recipe.
        out: the run folder.
        dataset: name of the data; None for the recipe's own.
        steps: generator steps in all; None for the recipe's own number.
        seed: of everything that is drawn.
        fault: a known illness to give to the run, or None.
        resume: go on from what the run folder holds, to the same end bit for bit.
        device: `cpu`, `cuda` or `cuda:i`.
        data_root: folder with the full published sets, if the user has them.
        download: fetch a missing set into it.
        command: the command line, kept in the checkpoint.
    """

    recipe: str
    out: Path
    dataset: str | None = None
    steps: int | None = None
    seed: int = 0
    fault: str | None = None
    resume: bool = False
    device: str = "cpu"
    data_root: Path | None = None
    download: bool = False
    command: str | None = None


@dataclass(frozen=True)
class TrainingProgress:
    """Where a run is: steps done of all, and the latest values worth showing."""

    step: int
    steps: int
    values: Mapping[str, float] = field(default_factory=dict)


class TrainingCallback(Protocol):
    """Told after every generator step."""

    def __call__(self, progress: TrainingProgress) -> None: ...


class Trainer(Protocol):
    """A set of recipes that can be trained. Listing them loads no torch."""

    def recipes(self) -> Mapping[str, str]:
        """Recipe names with one line on each."""
        ...

    def faults(self) -> Mapping[str, str]:
        """Fault names with one line on each."""
        ...

    def train(self, request: TrainingRequest, report: TrainingCallback) -> Path:
        """Train to the end and return the path of the checkpoint; raises GandiagError."""
        ...


TRAINERS: Registry[Trainer] = Registry("trainer", "gandiag.trainers", "TRAINER")


def find_trainer(recipe: str) -> Trainer:
    """The trainer that has the recipe.

    Raises:
        UnknownNameError: none has it.
    """
    trainers = [TRAINERS.load(name) for name in TRAINERS.names()]
    for trainer in trainers:
        if recipe in trainer.recipes():
            return trainer
    raise UnknownNameError("recipe", recipe, {name for trainer in trainers for name in trainer.recipes()})
