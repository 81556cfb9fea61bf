"""The training loop, one for all noise-to-sample models."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gandiag import ImageSpec, TrainingProgress, UsageError, save_checkpoint
from reference_models.recipe import Recipe
from reference_models.training import preview, seeds
from reference_models.training.builders import Blueprint, blueprint, build, check_fit
from reference_models.training.data import Batches, Data, to_range
from reference_models.training.folder import Folder, write_config
from reference_models.training.interrupt import deferred_interrupt
from reference_models.training.state import State, load_state, new_state, save_state
from reference_models.training.step import Rules, make_rules, take_step
from reference_models.training.watch import LossWatch, check_weights

Report = Callable[[TrainingProgress], None]

PREVIEW_IMAGES = 64
PREVIEW_POINTS = 2000


@dataclass(frozen=True)
class Run:
    """One run, with everything decided.

    Attributes:
        recipe: with its overrides.
        data: what to imitate.
        dataset: its registered name.
        steps: in all.
        seed: of all that is drawn.
        device: where the networks are.
        folder: where the results go.
        metadata: what the checkpoint says of its origin; plain values.
    """

    recipe: Recipe
    data: Data
    dataset: str
    steps: int
    seed: int
    device: torch.device
    folder: Folder
    metadata: Mapping[str, Any]


def train(run: Run, report: Report, config: Mapping[str, Any], resume: bool) -> Path:
    """Train to the last step and return the path of the checkpoint; `config` is written beside it.

    The weights depend on the recipe, the data, the seed and the number of steps, not on interruptions: bit for bit on
    one machine with one number of threads. Ctrl-C ends the run after the step under way, with everything saved.

    Raises:
        TrainingError: a loss or a weight is not finite; what was saved before stays.
        InputError: the saved state is damaged, or a file cannot be written.
        UsageError: the network does not fit the data, or the run is beyond the wanted number of steps.
    """
    shape = run.data.info.shape
    plans = (
        blueprint("generator", run.recipe.generator, shape, run.recipe.latent),
        blueprint("discriminator", run.recipe.discriminator, shape, run.recipe.latent),
    )
    generator, discriminator = (build(plan, run.seed, run.device) for plan in plans)
    state = new_state(generator, discriminator, run.recipe.generator.optimizer, run.recipe.discriminator.optimizer)
    check_fit(state.generator_ema, plans[0].network, shape, run.recipe.latent)
    if resume:
        load_state(run.folder.state, state)
        if state.step > run.steps:
            message = f"--steps is {run.steps}, but the run in {run.folder.home} is at step {state.step}"
            raise UsageError(f"{message}; ask for more steps")
    batches = Batches(run.data, run.recipe.batch_size, run.seed, run.device)
    rules = make_rules(run.recipe, batches, run.seed, run.steps, run.device)
    write_config(run.folder, config)
    with deferred_interrupt() as interrupted, torch.backends.cudnn.flags(deterministic=True, benchmark=False):
        _go_on(run, state, rules, plans[0], report, interrupted)
    return run.folder.checkpoint


def _go_on(
    run: Run,
    state: State,
    rules: Rules,
    plan: Blueprint,
    report: Report,
    interrupted: Callable[[], bool],
) -> None:
    watch = LossWatch()
    began = time.monotonic() - state.seconds

    def save() -> None:
        watch.look()
        state.seconds = time.monotonic() - began
        _save(run, state, plan)

    while state.step < run.steps:
        losses = take_step(state, rules)
        watch.add(state.step, losses)
        try:
            report(TrainingProgress(state.step, run.steps, watch.values))
        except KeyboardInterrupt:
            save()
            raise
        if interrupted():
            save()
            raise KeyboardInterrupt
        if state.step % run.recipe.preview_every == 0 and state.step < run.steps:
            _preview(run, state)
        if state.step % run.recipe.save_every == 0 and state.step < run.steps:
            save()
    save()
    _preview(run, state)


def _save(run: Run, state: State, plan: Blueprint) -> None:
    check_weights(state.step, generator=state.generator, discriminator=state.discriminator)
    save_state(run.folder.state, state)
    shape = run.data.info.shape
    save_checkpoint(
        run.folder.checkpoint,
        state.generator,
        builder=plan.network,
        config=plan.config,
        latent=run.recipe.latent,
        image=ImageSpec(shape, (-1.0, 1.0) if len(shape) == 3 else None),
        generator_ema=state.generator_ema,
        dataset=run.dataset,
        step=state.step,
        recipe=run.recipe.name,
        metadata={**run.metadata, "seconds": round(state.seconds, 1)},
    )


@torch.no_grad()
def _preview(run: Run, state: State) -> None:
    path = run.folder.preview(state.step)
    images = len(run.data.info.shape) == 3
    count = PREVIEW_IMAGES if images else PREVIEW_POINTS
    fake = state.generator_ema(seeds.noise(run.recipe.latent, count, run.seed, "preview").to(run.device)).cpu()
    if images:
        preview.save_grid(path, fake)
    else:
        preview.save_scatter(path, to_range(run.data.read(0, count)), fake)
