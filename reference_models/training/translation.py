"""The training loop of image-to-image models: one generator and one discriminator for each direction of the task."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from gandiag import ImageSpec, Latent, UsageError, save_checkpoint
from reference_models.networks.fitting import check_batch
from reference_models.recipe import Recipe
from reference_models.tasks._task import Finding, Shapes, Side, Task
from reference_models.techniques._technique import Moment, Setting, Technique
from reference_models.training import ema, preview, schedule, seeds
from reference_models.training.builders import Blueprint, build, image_blueprint
from reference_models.training.data import Batches
from reference_models.training.evaluation import Evaluation
from reference_models.training.files import written_whole
from reference_models.training.parallel import ALONE, Team
from reference_models.training.run import Run
from reference_models.training.state import State, new_state, save_state
from reference_models.training.step import Losses, Rules, backward, make_rules, precision, set_rate
from reference_models.training.tasks import make_task
from reference_models.training.techniques import alter_discriminator, judged_of, make_techniques
from reference_models.training.watch import check_weights

SCORES = "reference_models.scores/1"
PREVIEW = 12  # images of each row
SCORED = 500  # images, unless `--eval-samples` says otherwise
UNFIT = ("generator_loss", "discriminator_loss", "look_ahead", "generator_parameters", "alter_generator", "before_step")


@dataclass(frozen=True)
class Translation:
    """An image-to-image run made ready."""

    run: Run
    task: Task
    shapes: Mapping[str, Shapes]
    plans: Mapping[str, Blueprint]
    state: State
    rules: Rules
    batches: Mapping[str, Batches]
    techniques: Mapping[str, tuple[Technique, ...]]

    @property
    def players(self) -> tuple[Mapping[str, nn.Module], Mapping[str, nn.Module]]:
        """Generators and discriminators by direction."""
        return named(self.state.generator), named(self.state.discriminator)

    @property
    def held_out(self) -> None:
        """None: what a discriminator sees is the task's to make, a batch at a time."""
        return None

    def take_step(self) -> Losses:
        """Update all discriminators, then all generators, then the averages, and count the step."""
        state, rules, recipe = self.state, self.rules, self.run.recipe
        factor = schedule.factor(state.step, rules.steps, recipe.decay_from)
        set_rate(state.generator_optimizer, recipe.generator.optimizer.learning_rate * factor)
        set_rate(state.discriminator_optimizer, recipe.discriminator.optimizer.learning_rate * factor)
        with seeds.fixed(rules.device, rules.seed, "networks", state.step, rules.team.rank):
            losses = self._update_players()
        rules.team.average_buffers(state.generator, state.discriminator)
        ema.update(state.generator_ema, state.generator, ema.decay_at(state.step, recipe.ema))
        state.step += 1
        return losses

    def save(self, remembered: Sequence[Mapping[str, Any]]) -> None:
        """Write the state, and a checkpoint of each direction."""
        run, state = self.run, self.state
        check_weights(state.step, generator=state.generator, discriminator=state.discriminator)
        averaged = named(state.generator_ema)
        for index, (direction, generator) in enumerate(named(state.generator).items()):
            plan, shapes = self.plans[direction], self.shapes[direction]
            save_checkpoint(
                run.folder.other(direction) if index else run.folder.checkpoint,
                generator,
                builder=plan.network,
                config=plan.config,
                input=ImageSpec(shapes.input, (-1.0, 1.0)),
                image=ImageSpec(shapes.output, (-1.0, 1.0)),
                generator_ema=averaged[direction],
                dataset=run.dataset,
                step=state.step,
                recipe=run.recipe.name,
                metadata={**run.metadata, "direction": direction, "seconds": round(state.seconds, 1)},
            )
        save_state(run.folder.state, state, remembered)

    @torch.no_grad()
    def preview(self) -> None:
        """Rows of inputs, outputs and targets of held-out images, one file."""
        data = self.run.held_out or self.run.data
        count = min(PREVIEW, data.info.size or PREVIEW)
        rows = [row for part in self.task.preview(named(self.state.generator_ema), data, count) for row in part]
        images = torch.cat([row.cpu().float() for row in rows])
        preview.save_grid(self.run.folder.preview(self.state.step), images, count)

    def compile(self) -> None:
        """Compile the networks; discriminators not where a penalty takes gradients of their gradients."""
        for network in named(self.state.generator).values():
            network.compile()
        if not self.run.recipe.penalties:
            for network in named(self.state.discriminator).values():
                network.compile()

    def evaluation(self) -> Evaluation:
        """The scores of the task."""
        return TaskEvaluation(self)

    @torch.no_grad()
    def scores(self) -> dict[str, Finding]:
        """Scores of the averaged generators on held-out images."""
        data = self.run.held_out or self.run.data
        wanted = self.run.options.evaluate_samples or SCORED
        return self.task.scores(named(self.state.generator_ema), data, min(wanted, data.info.size or wanted))

    def finish(self) -> None:
        """Write the scores."""
        found = self.scores()
        document = {
            "format": SCORES,
            "recipe": self.run.recipe.name,
            "dataset": self.run.dataset,
            "step": self.state.step,
            "held_out": self.run.held_out is not None,
            "scores": {name: finding.value for name, finding in found.items()},
            "better": {name: finding.better for name, finding in found.items()},
        }
        with written_whole(self.run.folder.scores) as temporary:
            temporary.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def _update_players(self) -> Losses:
        state, rules, recipe = self.state, self.rules, self.run.recipe
        generators, discriminators = named(state.generator), named(state.discriminator)
        for update in range(state.step * recipe.discriminator.steps, (state.step + 1) * recipe.discriminator.steps):
            sides = self._sides(update)
            with precision(rules):
                made = {direction: generators[direction](side.input).float() for direction, side in sides.items()}
            shown, scores = [], []
            total, loss = torch.zeros((), device=rules.device), torch.zeros((), device=rules.device)
            for direction, side in sides.items():
                moment = self._moment(f"discriminator {direction}", update)
                fake = made[direction].detach()
                for technique in self.techniques[direction]:
                    fake = technique.replay(fake, moment)
                real, fake = self._viewed(direction, side.real, fake, moment)
                judge = discriminators[direction]
                with precision(rules):
                    real_logits, fake_logits = judge(real).float(), judge(fake).float()
                loss = loss + rules.loss.discriminator(real_logits, fake_logits)
                for term in rules.terms:
                    if update % term.interval == 0:
                        value = term.penalty(judge, real, fake, moment.draw(f"penalty {term.name}"))
                        total = total + term.weight * term.interval * value
                shown.append(real_logits.detach())
                scores.append(fake_logits.detach())
            backward(total + loss, state.discriminator_optimizer, rules.team)
            state.discriminator_optimizer.step()
            for direction, judge in discriminators.items():
                for technique in self.techniques[direction]:
                    technique.after_discriminator(judge)
        for update in range(state.step * recipe.generator.steps, (state.step + 1) * recipe.generator.steps):
            if update > state.step * recipe.generator.steps:
                with precision(rules):
                    made = {direction: generators[direction](side.input).float() for direction, side in sides.items()}
            generator_loss = self._update_generators(sides, made, update)
        return Losses(generator_loss, loss.detach(), torch.cat(shown), torch.cat(scores))

    def _update_generators(self, sides: Mapping[str, Side], made: Mapping[str, Tensor], update: int) -> Tensor:
        state, rules = self.state, self.rules
        generators, discriminators = named(state.generator), named(state.discriminator)
        loss = torch.zeros((), device=rules.device)
        with precision(rules):
            for direction, side in sides.items():
                moment = self._moment(f"generator {direction}", update)
                real, fake = self._viewed(direction, side.real, made[direction], moment)
                fake_logits = discriminators[direction](fake).float()
                real_logits = torch.zeros_like(fake_logits)
                if rules.loss.generator_compares:
                    with torch.no_grad():
                        real_logits = discriminators[direction](real).float()
                loss = loss + rules.loss.generator(real_logits, fake_logits)
            total = self.task.adversarial_weight * loss + self.task.losses(generators, sides, made)
        backward(total, state.generator_optimizer, rules.team)
        state.generator_optimizer.step()
        for direction, generator in generators.items():
            for technique in self.techniques[direction]:
                technique.after_generator(generator)
        return total.detach()

    def _sides(self, number: int) -> dict[str, Side]:
        return self.task.sides({name: self.rules.team.rows(each(number)) for name, each in self.batches.items()})

    def _viewed(self, direction: str, real: Tensor, fake: Tensor, moment: Moment) -> tuple[Tensor, Tensor]:
        for technique in self.techniques[direction]:
            real, fake = technique.view(real, "real", moment), technique.view(fake, "fake", moment)
        return real, fake

    def _moment(self, player: str, update: int) -> Moment:
        rules, step = self.rules, self.state.step

        def draw(purpose: str) -> torch.Generator:
            return seeds.generator(rules.seed, purpose, player, update, rules.team.rank)

        return Moment(step / rules.steps, draw, rules.device, step, update)


class TaskEvaluation(Evaluation):
    """The scores of a task in place of gandiag's metrics."""

    def __init__(self, course: Translation) -> None:
        run = course.run
        super().__init__(run.folder, run.options, str(run.device), course.rules.team)
        self._course = course

    def check(self) -> None:
        """Nothing: the scores are the task's own."""

    def _measured(self) -> tuple[str, str, dict[str, float | None], dict[str, float | None]]:
        found = self._course.scores()
        name, first = next(iter(found.items()))
        return name, first.better or "higher", {key: finding.value for key, finding in found.items()}, {}


def prepare(run: Run, crew: Team = ALONE) -> Translation:
    """Build all that a run needs; nothing is written.

    Raises:
        UsageError: the recipe does not fit the data, or its parts do not fit each other.
        InputError: an argument of a network is not of its kind or range.
    """
    recipe = run.recipe
    _check(recipe)
    task = make_task(recipe)
    shapes = task.begin(run.data, run.device)
    techniques: dict[str, dict[str, Technique]] = {}
    plans, generators, discriminators, judged = {}, {}, {}, []
    rules = make_rules(recipe, None, run.seed, run.steps, run.device, None, run.options.amp, crew)
    for direction, each in shapes.items():
        latent = Latent(prod(each.input))  # what a generator is given has so many numbers
        setting = Setting(rules.loss, each.output, latent, recipe.batch_size // crew.size, None)
        techniques[direction] = make_techniques(recipe, setting)
        seen = each.output
        for name, technique in techniques[direction].items():
            _check_technique(name, technique)
            seen = technique.discriminator_shape(seen)
        plans[direction] = image_blueprint(
            "generator", recipe.generator, each.input, each.output, task.generator_config()
        )
        judge = image_blueprint("discriminator", recipe.discriminator, seen, seen, {})
        seed = seeds.integer(run.seed, direction)
        generators[direction] = build(plans[direction], seed, run.device)
        alter = partial(alter_discriminator, techniques[direction])
        discriminators[direction] = build(judge, seed, run.device, alter)
        judged.append((discriminators[direction], judged_of(setting.batch_size, techniques[direction].values()), seen))
        for technique in techniques[direction].values():
            technique.move(run.device)
    remembered = {f"{name} {direction}": each for direction, all_ in techniques.items() for name, each in all_.items()}
    state = new_state(
        nn.ModuleDict(generators),
        nn.ModuleDict(discriminators),
        recipe.generator.optimizer,
        recipe.discriminator.optimizer,
        remembered,
    )
    _check_fit(named(state.generator_ema), shapes, plans, run.device)
    batches = {
        name: Batches(data, recipe.batch_size, seeds.integer(run.seed, "batches", name), run.device, recipe.samples)
        for name, data in task.streams(run.data).items()
    }
    for network, count, seen in judged:
        check_batch(f"{recipe.discriminator.network} discriminator", network, count, seen)
    active = {direction: tuple(each.values()) for direction, each in techniques.items()}
    return Translation(run, task, shapes, plans, state, rules, batches, active)


def named(networks: nn.Module) -> dict[str, Any]:
    """The networks of a state, by direction."""
    return dict(networks.named_children())


@torch.no_grad()
def _check_fit(
    generators: Mapping[str, Callable[[Tensor], Tensor]],
    shapes: Mapping[str, Shapes],
    plans: Mapping[str, Blueprint],
    device: torch.device,
) -> None:
    for direction, generator in generators.items():
        made = tuple(generator(torch.zeros(1, *shapes[direction].input, device=device)).shape[1:])
        if made != shapes[direction].output:
            message = f"the {plans[direction].network} generator makes images of {made}, and the task wants"
            raise UsageError(f"{message} {shapes[direction].output}; choose another --dataset or network")


def _check(recipe: Recipe) -> None:
    """Refuse what only models of noise have."""
    given = {
        "latent": recipe.latent is not None,
        "conditional": recipe.conditional,
        "head_start": bool(recipe.head_start),
        "simultaneous": recipe.simultaneous,
        "joint_batches": recipe.joint_batches,
    }
    for key, wanted in given.items():
        if wanted:
            message = f"recipe {recipe.name}: {key} is for generators of noise, and this one takes images"
            raise UsageError(f"{message}; leave it, or the fault that sets it, out")


def _check_technique(name: str, technique: Technique) -> None:
    kind = type(technique)
    if technique.needs_features or any(getattr(kind, hook) is not getattr(Technique, hook) for hook in UNFIT):
        message = f"technique {name} is for generators of noise, and this recipe's take images"
        raise UsageError(f"{message}; leave it, or the fault that sets it, out")
