"""The training loop, one for all noise-to-sample models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gandiag import Conditioning, ImageSpec, save_checkpoint
from reference_models import catalogue
from reference_models.losses._loss import Loss
from reference_models.networks.fitting import check_batch
from reference_models.techniques._technique import Setting
from reference_models.training import preview, seeds
from reference_models.training.builders import Blueprint, blueprint, build, check_fit
from reference_models.training.data import Batches, count_classes, to_range
from reference_models.training.evaluation import Evaluation
from reference_models.training.parallel import ALONE, Team
from reference_models.training.run import Run
from reference_models.training.state import State, new_state, save_state
from reference_models.training.step import Losses, Rules, held_out_batch, make_rules, take_step
from reference_models.training.techniques import alter_discriminator, alter_generator, judged_of, make_techniques
from reference_models.training.watch import check_weights

PREVIEW_IMAGES = 64
PREVIEW_POINTS = 2000
PREVIEW_CLASSES = 10  # rows of the preview of a conditional model
PREVIEW_PER_CLASS = 8


@dataclass(frozen=True)
class Workshop:
    """A run made ready: both blueprints, the state before the first step, and the rules."""

    run: Run
    plans: tuple[Blueprint, Blueprint]
    state: State
    rules: Rules
    num_classes: int | None

    @property
    def players(self) -> tuple[nn.Module, nn.Module]:
        """Generator and discriminator."""
        return self.state.generator, self.state.discriminator

    @property
    def held_out(self) -> tuple[Tensor, ...] | None:
        """A batch of real samples that are not trained on, as the discriminator takes it; None where there are none."""
        return held_out_batch(self.run.held_out, self.state, self.rules)

    def take_step(self) -> Losses:
        """Update both players."""
        return take_step(self.state, self.rules)

    def save(self, remembered: Sequence[Mapping[str, Any]]) -> None:
        """Write the state and the checkpoint."""
        _save(self.run, self, remembered)

    def preview(self) -> None:
        """Write a picture of samples."""
        _preview(self.run, self)

    def compile(self) -> None:
        """Compile what can be: gradients of gradients cannot, which penalties and unrolling take."""
        if not any(choice.name == "path_length" for choice in self.run.recipe.techniques):
            self.state.generator.compile()
        twice = self.run.recipe.penalties or any(choice.name == "unrolling" for choice in self.run.recipe.techniques)
        if not twice:
            self.state.discriminator.compile()

    def evaluation(self) -> Evaluation:
        """Any metric of gandiag, of the checkpoint."""
        write = partial(_write_checkpoint, self.run, self)
        return Evaluation(self.run.folder, self.run.options, str(self.run.device), self.rules.team, write)

    def finish(self) -> None:
        """Nothing more."""


def prepare(run: Run, crew: Team = ALONE) -> Workshop:
    """Build all that a run needs; nothing is written.

    Raises:
        UsageError: the recipe does not fit the data, or its parts do not fit each other.
        InputError: an argument of a network is not of its kind or range.
    """
    recipe, shape = run.recipe, run.data.info.shape
    num_classes = count_classes(run.data) if recipe.conditional else None
    loss: Loss = catalogue.part("losses", "loss", recipe.loss).LOSS
    setting = Setting(loss, shape, recipe.prior, recipe.batch_size // crew.size, num_classes)
    techniques = make_techniques(recipe, setting)
    seen = shape
    for technique in techniques.values():
        seen = technique.discriminator_shape(seen)
    plans = (
        blueprint("generator", recipe.generator, shape, recipe.prior, num_classes),
        blueprint("discriminator", recipe.discriminator, seen, recipe.prior, num_classes),
    )
    generator = build(plans[0], run.seed, run.device, partial(alter_generator, techniques))
    discriminator = build(plans[1], run.seed, run.device, partial(alter_discriminator, techniques))
    for technique in techniques.values():
        technique.move(run.device)
    state = new_state(generator, discriminator, recipe.generator.optimizer, recipe.discriminator.optimizer, techniques)
    check_fit(state.generator_ema, plans[0].network, shape, recipe.prior, recipe.generator.conditional)
    batches = Batches(run.data, recipe.batch_size, run.seed, run.device, recipe.samples)
    judged = judged_of(setting.batch_size, techniques.values())
    check_batch(f"{plans[1].network} discriminator", discriminator, judged, seen, recipe.discriminator.conditional)
    rules = make_rules(recipe, batches, run.seed, run.steps, run.device, techniques, run.options.amp, crew)
    return Workshop(run, plans, state, rules, num_classes)


def _save(run: Run, workshop: Workshop, remembered: Sequence[Mapping[str, Any]]) -> None:
    state = workshop.state
    check_weights(state.step, generator=state.generator, discriminator=state.discriminator)
    save_state(run.folder.state, state, remembered)
    _write_checkpoint(run, workshop, run.folder.checkpoint)


def _write_checkpoint(run: Run, workshop: Workshop, path: Path) -> None:
    state, plan, shape = workshop.state, workshop.plans[0], run.data.info.shape
    conditional = run.recipe.generator.conditional and workshop.num_classes is not None
    save_checkpoint(
        path,
        state.generator,
        builder=plan.network,
        config=plan.config,
        latent=run.recipe.prior,
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
        noise = seeds.noise(run.recipe.prior, columns, run.seed, "preview").repeat(rows, 1)
        shown = torch.linspace(0, (workshop.num_classes or 1) - 1, rows).round().long()
        fake = _made(generator, noise, shown.repeat_interleave(columns), run.device)
    else:
        columns, count = None, PREVIEW_IMAGES if images else PREVIEW_POINTS
        fake = _made(generator, seeds.noise(run.recipe.prior, count, run.seed, "preview"), None, run.device)
    if images:
        preview.save_grid(path, fake, columns)
    else:
        preview.save_scatter(path, to_range(run.data.read(0, PREVIEW_POINTS)), fake)


def _made(generator: nn.Module, noise: Tensor, labels: Tensor | None, device: torch.device) -> Tensor:
    said = () if labels is None else (labels.to(device),)
    fake: Tensor = generator(noise.to(device), *said)
    return fake.cpu()
