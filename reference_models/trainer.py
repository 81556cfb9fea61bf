"""The trainer that gandiag finds through the entry-point group `gandiag.trainers`; it loads torch only to train."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gandiag
from gandiag import GandiagError, TrainingProgress, TrainingRequest, UsageError
from reference_models import catalogue
from reference_models.recipe import Recipe, load_recipe, overridden, summaries

if TYPE_CHECKING:
    import torch

    from reference_models.training.run import Run


class ReferenceTrainer:
    """Trains the recipes of this package."""

    reads_files = True  # recipes of one's own

    def recipes(self) -> Mapping[str, str]:
        """Recipe names with one line on each."""
        return summaries("recipes")

    def faults(self) -> Mapping[str, str]:
        """Fault names with one line on each."""
        return summaries("faults")

    def techniques(self) -> Mapping[str, str]:
        """Names of the techniques that a recipe can switch on, with one line on each."""
        return catalogue.summaries("techniques")

    def losses(self) -> Mapping[str, str]:
        """Names of the adversarial losses, with one line on each."""
        return catalogue.summaries("losses")

    def penalties(self) -> Mapping[str, str]:
        """Names of the penalties on the discriminator, with one line on each."""
        return catalogue.summaries("penalties")

    def tasks(self) -> Mapping[str, str]:
        """Names of the tasks of image-to-image models, with one line on each."""
        return catalogue.summaries("tasks")

    def plan(self, request: TrainingRequest) -> Mapping[str, str]:
        """What `train` would run and about how long, by a few steps that are thrown away; nothing is written.

        Raises:
            UsageError: as `train`.
            InputError: as `train`.
        """
        from reference_models.training.outline import outline

        run, _ = decide(request, writes=False)
        return outline(run)

    def train(self, request: TrainingRequest, report: Callable[[TrainingProgress], None]) -> Path:
        """Train to the end, or go on to it, and return the path of the checkpoint.

        A resumed run takes its dataset and number of steps from the folder unless the request says otherwise.

        Raises:
            UsageError: the request is for something that does not exist or does not fit the run folder.
            InputError: a file is damaged or cannot be written.
            TrainingError: a loss or a weight is not finite.
        """
        from reference_models.training.loops import train

        run, config = decide(request)
        return train(run, report, config, request.resume)


TRAINER = ReferenceTrainer()


def decide(request: TrainingRequest, writes: bool = True) -> tuple[Run, dict[str, Any]]:
    """The run that is asked for, and what its folder will say of it; raises as `train` does.

    A new run that writes nothing may name a folder that is in use.
    """
    import torch

    from reference_models.training.folder import FORMAT, Folder, check_same, previous_run
    from reference_models.training.options import Options
    from reference_models.training.run import Run
    from reference_models.training.techniques import paced

    if request.steps is not None and request.steps < 1:
        raise UsageError(f"--steps is {request.steps}, expected at least 1")
    default = load_recipe(request.recipe, request.dataset, request.fault, request.overrides)
    device = _device(request.device)
    folder = Folder(Path(request.out))
    before = (previous_run(folder, request.resume) if writes or request.resume else None) or {}
    wanted = request.dataset or before.get("dataset") or default.dataset
    data = _data(request, wanted, default)
    dataset = data.info.dataset or data.info.name
    recipe = load_recipe(request.recipe, dataset, request.fault, request.overrides)
    if request.evaluate_samples is not None and not request.evaluate_every and recipe.task is None:
        message = f"--eval-samples is {request.evaluate_samples}, and nothing is scored as the run goes on"
        raise UsageError(f"{message}; add --eval-every STEPS")
    steps = request.steps or _steps(recipe, request.overrides, before)
    options = Options(
        amp=request.amp,
        compile=request.compile,
        monitor=request.monitor,
        evaluate_every=request.evaluate_every,
        metrics=tuple(request.metrics),
        evaluate_samples=request.evaluate_samples,
        tensorboard=request.tensorboard,
        data={"data_root": request.data_root, "download": request.download},
    )
    origin = {
        "dataset_sha256": data.info.sha256,
        "seed": request.seed,
        "fault": _stem(request.fault),
        "device": str(device),
        "threads": torch.get_num_threads(),
        "amp": request.amp,
        "compile": request.compile,
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "command": request.command,
        "versions": _versions(),
    }
    told = {"steps": steps, "steps_set": "steps" in overridden(request.overrides)}
    config = {"format": FORMAT, "recipe": asdict(recipe), "dataset": dataset, **told, **origin}
    if request.resume:
        depending = ["the learning rate"] if recipe.decay_from < 1 else []
        depending += [f"technique {name}" for name in paced(recipe)]
        check_same({"compile": False, **before, "fault": _stem(before.get("fault"))}, config, folder, depending)
    held_out = _held_out(request, dataset, recipe)
    return Run(recipe, data, dataset, steps, request.seed, device, folder, origin, options, held_out), config


def _steps(recipe: Recipe, overrides: Sequence[str], before: Mapping[str, Any]) -> int:
    """The recipe's steps; of a resumed run those that it was to have, unless an override now says another number."""
    said_before = before.get("steps_set", True) and recipe.steps == before.get("recipe", {}).get("steps")
    asked = "steps" in overridden(overrides) and not said_before
    return recipe.steps if asked or not before else int(before["steps"])


def _stem(fault: str | None) -> str | None:
    """The name of a fault's file."""
    return None if fault is None else catalogue.table("faults", "fault", fault).stem


def _data(request: TrainingRequest, dataset: str, recipe: Recipe, split: str = "train") -> Any:
    """A dataset by its name, or two folders of images for a task that learns from such."""
    from reference_models.training.image_folders import NAME, open_folders
    from reference_models.training.tasks import make_task

    if dataset == NAME:
        task = None if recipe.task is None else make_task(recipe)
        if task is None or not task.pairs_of_folders:
            raise UsageError(f"recipe {recipe.name} does not learn from two folders; choose another --dataset")
        return open_folders(request.data_root, task.size, split)
    return gandiag.load_dataset(
        dataset, split=split, seed=request.seed, root=request.data_root, download=request.download
    )


def _held_out(request: TrainingRequest, dataset: str, recipe: Recipe) -> Any:
    """Samples that are not trained on, or None where the dataset has none or nobody asks for them."""
    if recipe.task is None and not request.monitor:
        return None
    try:
        return _data(request, dataset, recipe, "test")
    except UsageError:
        return None
    except GandiagError:
        if recipe.task is not None:
            raise
        return None  # the monitor does without


def _device(name: str) -> torch.device:
    import torch

    try:
        device: torch.device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device is {name!r}, expected cpu, cuda or cuda:0") from error
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))  # a device for each process of torchrun
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"--device {name}: this machine has {torch.cuda.device_count()} CUDA devices; use cpu")
    return device


def _versions() -> dict[str, str]:
    return {
        "gandiag": gandiag.__version__,
        "torch": importlib.metadata.version("torch"),
        "python": platform.python_version(),
    }
