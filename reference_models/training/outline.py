"""What a run would be: its networks, its losses, and about how long it takes."""

from __future__ import annotations

import time
from collections.abc import Mapping

from torch import nn

from reference_models.recipe import Optimizer, Player
from reference_models.training.drive import Course
from reference_models.training.loops import prepare
from reference_models.training.run import Run

WARM = 3  # steps before the clock starts
ENOUGH = 2.0  # seconds after which no more steps are timed
MOST = 400  # steps that are timed


def outline(run: Run) -> Mapping[str, str]:
    """The run, name by name; a few steps are taken and forgotten."""
    recipe, workshop = run.recipe, prepare(run)
    if run.options.evaluate_every:
        workshop.evaluation().check()
    state = workshop.state
    seconds, count = time_steps(workshop, run.steps // 2, run.steps)  # one that grows is as large as on most steps
    steps = run.steps + recipe.head_start / (recipe.discriminator.steps + recipe.generator.steps)
    classes = getattr(workshop, "num_classes", None)
    if recipe.latent is None:
        taken = {"task": _named(recipe.task.name, recipe.task.config) if recipe.task else "none"}
    else:
        taken = {"latent": f"{recipe.latent.dim} numbers, {recipe.latent.distribution}"}
    return {
        "recipe": f"{recipe.name}: {recipe.summary}",
        "dataset": f"{run.dataset}, samples of {' x '.join(str(size) for size in run.data.info.shape)}"
        + (f", the first {recipe.samples:,} only" if recipe.samples else ""),
        "labels": f"{classes} classes" if classes else "none",
        **taken,
        "generator": _player(recipe.generator, state.generator),
        "discriminator": _player(recipe.discriminator, state.discriminator),
        "loss": recipe.loss,
        "penalties": ", ".join(f"{p.name} {p.weight:g} each {p.interval} updates" for p in recipe.penalties) or "none",
        "techniques": ", ".join(_named(each.name, each.config) for each in recipe.techniques) or "none",
        "batch": f"{recipe.batch_size}",
        "steps": f"{run.steps:,}",
        "device": str(run.device),
        "time": f"about {_span(seconds * steps)} at {1000 * seconds:.1f} ms a step, by {count} steps here",
    }


def time_steps(workshop: Course, first: int, end: int) -> tuple[float, int]:
    """Seconds that a step from `first` to before `end` takes, and how many were timed; the state moves on."""

    def take(number: int) -> None:
        workshop.state.step = first + number % (end - first)  # what the run itself would do, and no more
        workshop.take_step()

    for number in range(WARM):
        take(number)
    began, count = time.perf_counter(), 0
    while count < MOST and time.perf_counter() - began < ENOUGH:
        take(WARM + count)
        count += 1
    return (time.perf_counter() - began) / count, count


def _player(player: Player, network: nn.Module) -> str:
    count = sum(weight.numel() for weight in network.parameters())
    updates = f", {player.steps} updates a step" if player.steps > 1 else ""
    return f"{_named(player.network, player.config)}, {count:,} parameters, {_optimizer(player.optimizer)}{updates}"


def _optimizer(settings: Optimizer) -> str:
    moments = f" betas {settings.betas[0]:g} {settings.betas[1]:g}" if settings.kind == "adam" else ""
    moments += f" momentum {settings.momentum:g}" if settings.momentum and settings.kind != "adam" else ""
    return f"{settings.kind} {settings.learning_rate:g}{moments}"


def _named(name: str, config: Mapping[str, object]) -> str:
    return f"{name} ({', '.join(f'{key} {value}' for key, value in config.items())})" if config else name


def _span(seconds: float) -> str:
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 1):.0f} s"
