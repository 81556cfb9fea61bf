"""`gandiag train`: make a checkpoint with a recipe."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import click

from gandiag.cli.options import COUNT, data_options, debug_option, device_option, seed_option


@click.command("train")
@click.argument("recipe", required=False)
@click.option("--recipe", "file", metavar="FILE", help="A recipe file of your own, in place of RECIPE.")
@click.option("--dataset", metavar="NAME", help="Dataset to imitate. Default: the recipe's own.")
@click.option("--steps", type=COUNT, help="Generator steps. Default: the recipe's own number.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Run folder. Default: one under runs/, named after the options."
)
@seed_option
@click.option("--fault", metavar="NAME", help="Give the run a known illness; `gandiag list faults`.")
@click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Change the recipe, such as loss=hinge or techniques.packing.samples=2; as often as you like.",
)
@click.option("--resume", is_flag=True, help="Go on from what the run folder holds.")
@click.option("--dry-run", is_flag=True, help="Print what would run and about how long, and stop.")
@click.option("--eval-every", type=COUNT, metavar="STEPS", help="Score as it goes on; keep the best.")
@click.option(
    "--metric",
    "metrics",
    metavar="NAMES",
    default="fid",
    show_default=True,
    help="What --eval-every scores; the first one decides which checkpoint is best.",
)
@click.option("--eval-samples", type=click.IntRange(min=2), metavar="N", help="Samples of each score.")
@click.option("--monitor/--no-monitor", default=True, show_default=True, help="Watch the run; write its log.")
@click.option("--tensorboard", is_flag=True, help="Write scalars for TensorBoard into the run folder.")
@click.option("--amp", is_flag=True, help="Compute in bfloat16 where that is safe.")
@click.option("--compile", "compiled", is_flag=True, help="Compile the networks: slower to start, faster after.")
@device_option
@data_options
@debug_option
def train_command(
    recipe: str | None,
    file: str | None,
    dataset: str | None,
    steps: int | None,
    out: Path | None,
    seed: int,
    fault: str | None,
    overrides: tuple[str, ...],
    resume: bool,
    dry_run: bool,
    eval_every: int | None,
    metrics: str,
    eval_samples: int | None,
    monitor: bool,
    tensorboard: bool,
    amp: bool,
    compiled: bool,
    device: str,
    data_root: Path | None,
    download: bool,
) -> None:
    """Train a GAN by RECIPE; `gandiag list recipes` names them.

    \b
    gandiag train dcgan --dataset stacked-mnist --out runs/first
    gandiag train dcgan --dataset stacked-mnist --out runs/first --resume
    gandiag train lsgan --set techniques.packing.samples=2 --dry-run
    gandiag train --recipe my.toml --eval-every 1000 --metric modes,fid
    torchrun --nproc-per-node 2 -m gandiag train dcgan
    """  # noqa: D301 - click reads the \b
    from gandiag.cli.output import progress_bar
    from gandiag.cli.unused import refuse_given
    from gandiag.core.errors import UsageError
    from gandiag.core.protocols import Progress
    from gandiag.core.training import TrainingProgress, TrainingRequest, find_trainer
    from gandiag.evaluation.environment import resolve_device

    if (recipe is None) == (file is None):
        raise UsageError("give one recipe: RECIPE by its name, or --recipe FILE; `gandiag list recipes` names them")
    if file is not None and not file.endswith(".toml"):
        raise UsageError(f"--recipe is {file!r}, expected a TOML file; without --recipe, it is a recipe's name")
    chosen = recipe or file or ""
    if not eval_every:
        refuse_given({"metrics"}, "nothing is scored as the run goes on; add --eval-every STEPS")
    trainer = find_trainer(chosen)
    name = "-".join([Path(chosen).stem, *([dataset] if dataset else []), *([fault] if fault else []), str(seed)])
    request = TrainingRequest(
        recipe=chosen,
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
        overrides=overrides,
        monitor=monitor,
        evaluate_every=eval_every or 0,
        metrics=tuple(name.strip() for name in metrics.split(",")),
        evaluate_samples=eval_samples,
        tensorboard=tensorboard,
        amp=amp,
        compile=compiled,
    )
    if dry_run:
        plan = trainer.plan(request)
        width = max(len(key) for key in plan)
        for key, value in plan.items():
            click.echo(f"{key:<{width}}  {value}")
        return
    with progress_bar() as show:

        def report(progress: TrainingProgress) -> None:
            values = "  ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in progress.values.items())
            show(Progress("steps", progress.step, progress.steps, values))

        checkpoint = trainer.train(request, report)
    if os.environ.get("RANK", "0") == "0":  # of the processes of torchrun, one talks
        for line in _scores(checkpoint.with_name("scores.json")):
            click.echo(line, err=True)
        click.echo(checkpoint)


def _scores(file: Path) -> list[str]:
    """The scores that a trainer left, a line each; none where it left none."""
    try:
        scores = json.loads(file.read_text(encoding="utf-8"))["scores"]
        width = max(map(len, scores), default=0)
        return [f"{name:<{width}}  {float(value):.4g}" for name, value in scores.items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
