"""The training loop, one for all noise-to-sample models."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gandiag import Conditioning, ImageSpec, TrainingProgress, UsageError, save_checkpoint
from reference_models import catalogue
from reference_models.losses._loss import Loss
from reference_models.recipe import Recipe
from reference_models.techniques._technique import Setting
from reference_models.training import preview, seeds
from reference_models.training.builders import Blueprint, blueprint, build, check_fit
from reference_models.training.data import Batches, Data, count_classes, to_range
from reference_models.training.evaluation import Evaluation
from reference_models.training.folder import Folder, write_config
from reference_models.training.interrupt import deferred_interrupt
from reference_models.training.monitoring import watching
from reference_models.training.options import Options
from reference_models.training.parallel import ALONE, Team, team
from reference_models.training.scalars import Scalars
from reference_models.training.state import State, load_state, new_state, save_state
from reference_models.training.step import Rules, make_rules, take_step
from reference_models.training.techniques import alter_discriminator, make_techniques
from reference_models.training.watch import LossWatch, check_weights

Report = Callable[[TrainingProgress], None]

PREVIEW_IMAGES = 64
PREVIEW_POINTS = 2000
PREVIEW_CLASSES = 10  # rows of the preview of a conditional model
PREVIEW_PER_CLASS = 8


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
        options: what is done beside the training.
    """

    recipe: Recipe
    data: Data
    dataset: str
    steps: int
    seed: int
    device: torch.device
    folder: Folder
    metadata: Mapping[str, Any]
    options: Options = field(default_factory=Options)


@dataclass(frozen=True)
class Workshop:
    """A run made ready: both blueprints, the state before the first step, and the rules."""

    plans: tuple[Blueprint, Blueprint]
    state: State
    rules: Rules
    num_classes: int | None


def prepare(run: Run, crew: Team = ALONE) -> Workshop:
    """Build all that a run needs; nothing is written.

    Raises:
        UsageError: the recipe does not fit the data, or its parts do not fit each other.
        InputError: an argument of a network is not of its kind or range.
    """
    recipe, shape = run.recipe, run.data.info.shape
    num_classes = count_classes(run.data) if recipe.conditional else None
    loss: Loss = catalogue.part("losses", "loss", recipe.loss).LOSS
    setting = Setting(loss, shape, recipe.latent, recipe.batch_size // crew.size, num_classes)
    techniques = make_techniques(recipe, setting)
    seen = shape
    for technique in techniques.values():
        seen = technique.discriminator_shape(seen)
    plans = (
        blueprint("generator", recipe.generator, shape, recipe.latent, num_classes),
        blueprint("discriminator", recipe.discriminator, seen, recipe.latent, num_classes),
    )
    generator = build(plans[0], run.seed, run.device)
    discriminator = build(plans[1], run.seed, run.device, partial(alter_discriminator, techniques))
    for technique in techniques.values():
        technique.move(run.device)
    state = new_state(generator, discriminator, recipe.generator.optimizer, recipe.discriminator.optimizer, techniques)
    check_fit(state.generator_ema, plans[0].network, shape, recipe.latent, recipe.generator.conditional)
    batches = Batches(run.data, recipe.batch_size, run.seed, run.device, recipe.samples)
    rules = make_rules(recipe, batches, run.seed, run.steps, run.device, techniques, run.options.amp, crew)
    return Workshop(plans, state, rules, num_classes)


def train(run: Run, report: Report, config: Mapping[str, Any], resume: bool) -> Path:
    """Train to the last step and return the path of the checkpoint; `config` is written beside it.

    The weights depend on the recipe, the data, the seed and the number of steps, not on interruptions: bit for bit on
    one machine with one number of threads. Ctrl-C ends the run after the step under way, with everything saved.

    Raises:
        TrainingError: a loss or a weight is not finite; what was saved before stays.
        InputError: the saved state is damaged, or a file cannot be written.
        UsageError: the network does not fit the data, or the run is beyond the wanted number of steps.
    """
    with team(run.device, run.recipe.batch_size) as crew:
        workshop = prepare(run, crew)
        state = workshop.state
        if resume:
            load_state(run.folder.state, state)
            if state.step > run.steps:
                message = f"--steps is {run.steps}, but the run in {run.folder.home} is at step {state.step}"
                raise UsageError(f"{message}; ask for more steps")
        if run.options.compile:
            _compile(state, run.recipe)
        crew.wait()
        if crew.leads:
            write_config(run.folder, config)
        with ExitStack() as stack:
            interrupted = stack.enter_context(deferred_interrupt())
            stack.enter_context(torch.backends.cudnn.flags(deterministic=True, benchmark=False))
            wanted = run.options.tensorboard and crew.leads
            scalars = stack.enter_context(Scalars(run.folder.scalars if wanted else None, state.step))
            stack.enter_context(watching(state, run.folder.home if run.options.monitor and crew.leads else None))
            evaluation = Evaluation(run.folder, run.options, str(run.device), crew)
            evaluation.go_on(state.step)
            _go_on(_Session(run, workshop, report, interrupted, crew, scalars, evaluation))
    return run.folder.checkpoint


@dataclass(frozen=True)
class _Session:
    """A run under way, and who looks on."""

    run: Run
    workshop: Workshop
    report: Report
    interrupted: Callable[[], bool]
    crew: Team
    scalars: Scalars
    evaluation: Evaluation


def _go_on(session: _Session) -> None:
    run, state, crew = session.run, session.workshop.state, session.crew
    watch = LossWatch()
    began = time.monotonic() - state.seconds

    def save() -> None:
        watch.look()
        state.seconds = time.monotonic() - began
        if crew.leads:
            _save(run, session.workshop)
        crew.wait()

    while state.step < run.steps:
        losses = take_step(state, session.workshop.rules)
        looked = watch.add(state.step, losses)
        if looked:
            session.scalars.add(state.step, watch.values)
        stopped = False
        try:
            session.report(TrainingProgress(state.step, run.steps, watch.values))
        except KeyboardInterrupt:
            stopped = True
        if crew.any(stopped or session.interrupted()):
            save()
            raise KeyboardInterrupt
        if state.step == run.steps:
            break
        if state.step % run.recipe.preview_every == 0 and crew.leads:
            _preview(run, session.workshop)
        scored = run.options.evaluate_every and state.step % run.options.evaluate_every == 0
        if scored or state.step % run.recipe.save_every == 0:
            save()
        if scored:
            session.scalars.add(state.step, session.evaluation.score(state.step))
    save()
    if crew.leads:
        _preview(run, session.workshop)
    if run.options.evaluate_every:
        session.scalars.add(state.step, session.evaluation.score(state.step))


def _compile(state: State, recipe: Recipe) -> None:
    """Compile what can be: gradients of gradients cannot, which penalties and unrolling take of the discriminator."""
    state.generator.compile()
    twice = recipe.penalties or any(choice.name == "unrolling" for choice in recipe.techniques)
    if not twice:
        state.discriminator.compile()


def _save(run: Run, workshop: Workshop) -> None:
    state, plan = workshop.state, workshop.plans[0]
    check_weights(state.step, generator=state.generator, discriminator=state.discriminator)
    save_state(run.folder.state, state)
    shape = run.data.info.shape
    conditional = run.recipe.generator.conditional and workshop.num_classes is not None
    save_checkpoint(
        run.folder.checkpoint,
        state.generator,
        builder=plan.network,
        config=plan.config,
        latent=run.recipe.latent,
        image=ImageSpec(shape, (-1.0, 1.0) if len(shape) == 3 else None),
        generator_ema=state.generator_ema,
        conditioning=Conditioning(workshop.num_classes or 0) if conditional else None,
        dataset=run.dataset,
        step=state.step,
        recipe=run.recipe.name,
        metadata={**run.metadata, "seconds": round(state.seconds, 1)},
    )


@torch.no_grad()
def _preview(run: Run, workshop: Workshop) -> None:
    """Samples of the averaged generator; those of a conditional one show a class a row and a latent a column."""
    path, generator = run.folder.preview(workshop.state.step), workshop.state.generator_ema
    images = len(run.data.info.shape) == 3
    if run.recipe.generator.conditional:
        rows = min(PREVIEW_CLASSES, workshop.num_classes or 1)
        columns = PREVIEW_PER_CLASS if images else PREVIEW_POINTS // rows
        noise = seeds.noise(run.recipe.latent, columns, run.seed, "preview").repeat(rows, 1)
        shown = torch.linspace(0, (workshop.num_classes or 1) - 1, rows).round().long()
        fake = _made(generator, noise, shown.repeat_interleave(columns), run.device)
    else:
        columns, count = None, PREVIEW_IMAGES if images else PREVIEW_POINTS
        fake = _made(generator, seeds.noise(run.recipe.latent, count, run.seed, "preview"), None, run.device)
    if images:
        preview.save_grid(path, fake, columns)
    else:
        preview.save_scatter(path, to_range(run.data.read(0, PREVIEW_POINTS)), fake)


def _made(generator: nn.Module, noise: Tensor, labels: Tensor | None, device: torch.device) -> Tensor:
    said = () if labels is None else (labels.to(device),)
    fake: Tensor = generator(noise.to(device), *said)
    return fake.cpu()
