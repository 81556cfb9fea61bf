"""`gandiag train`: make a checkpoint with a recipe."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from gandiag.cli.options import data_options, debug_option, device_option, seed_option


@click.command("train")
@click.argument("recipe")
@click.option("--dataset", metavar="NAME", help="Dataset to imitate. Default: the recipe's own.")
@click.option("--steps", type=click.IntRange(min=1), help="Generator steps. Default: the recipe's own number.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Run folder. Default: one under runs/, named after the options."
)
@seed_option
@click.option("--fault", metavar="NAME", help="Give the run a known illness; `gandiag list faults`.")
@click.option("--resume", is_flag=True, help="Go on from what the run folder holds.")
@device_option
@data_options
@debug_option
def train_command(
    recipe: str,
    dataset: str | None,
    steps: int | None,
    out: Path | None,
    seed: int,
    fault: str | None,
    resume: bool,
    device: str,
    data_root: Path | None,
    download: bool,
) -> None:
    """Train a GAN by RECIPE; `gandiag list recipes` names them.

    \b
    gandiag train dcgan --dataset stacked-mnist --out runs/first
    gandiag train dcgan --dataset stacked-mnist --out runs/first --resume
    """  # noqa: D301 - click reads the \b
    from gandiag.cli.output import progress_bar
    from gandiag.core.protocols import Progress
    from gandiag.core.training import TrainingProgress, TrainingRequest, find_trainer
    from gandiag.evaluation.environment import resolve_device

    trainer = find_trainer(recipe)
    name = "-".join([recipe, *([dataset] if dataset else []), *([fault] if fault else []), str(seed)])
    request = TrainingRequest(
        recipe=recipe,
        out=out or Path("runs") / name,
        dataset=dataset,
        steps=steps,
        seed=seed,
        fault=fault,
        resume=resume,
        device=resolve_device(device),
        data_root=data_root,
        download=download,
        command=shlex.join(["gandiag", *sys.argv[1:]]),
    )
    with progress_bar() as show:

        def report(progress: TrainingProgress) -> None:
            values = "  ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in progress.values.items())
            show(Progress("steps", progress.step, progress.steps, values))

        checkpoint = trainer.train(request, report)
    click.echo(checkpoint)
