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
        recipe: name of the recipe, or path of a recipe file.
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
        overrides: lines of TOML that change the recipe, such as `loss = "hinge"`.
        monitor: watch the run, and write its log into the run folder.
        evaluate_every: steps from one score of the run to the next; 0 for none.
        metrics: what is scored then; the first decides which checkpoint is best.
        evaluate_samples: how many samples it takes; None for the dataset's own number.
        tensorboard: write scalars for TensorBoard.
        amp: mixed precision.
        compile: compile the networks.
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
    overrides: tuple[str, ...] = ()
    monitor: bool = False
    evaluate_every: int = 0
    metrics: tuple[str, ...] = ("fid",)
    evaluate_samples: int | None = None
    tensorboard: bool = False
    amp: bool = False
    compile: bool = False


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
    """A set of recipes that can be trained. Listing them loads no torch.

    A trainer may have more to list: `techniques`, `losses`, `penalties` and `tasks`, methods like `recipes`. One that
    takes paths of recipe files has the attribute `reads_files = True`. One that scores its own models writes a
    `scores.json` beside the checkpoint, `{"scores": {name: number}}`, which `gandiag train` shows.
    """

    def recipes(self) -> Mapping[str, str]:
        """Recipe names with one line on each."""
        ...

    def faults(self) -> Mapping[str, str]:
        """Fault names with one line on each."""
        ...

    def plan(self, request: TrainingRequest) -> Mapping[str, str]:
        """What `train` would run and about how long, by name; raises GandiagError."""
        ...

    def train(self, request: TrainingRequest, report: TrainingCallback) -> Path:
        """Train to the end and return the path of the checkpoint; raises GandiagError."""
        ...


TRAINERS: Registry[Trainer] = Registry("trainer", "gandiag.trainers", "TRAINER")


def find_trainer(recipe: str) -> Trainer:
    """The trainer that has the recipe; of a recipe file, the first one with `reads_files`.

    Raises:
        UnknownNameError: none has it.
    """
    trainers = [TRAINERS.load(name) for name in TRAINERS.names()]
    for trainer in trainers:
        if recipe in trainer.recipes() or (recipe.endswith(".toml") and getattr(trainer, "reads_files", False)):
            return trainer
    raise UnknownNameError("recipe", recipe, {name for trainer in trainers for name in trainer.recipes()})
