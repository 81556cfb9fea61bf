"""One step of a run: the discriminator's updates, then the generator's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reference_models import catalogue
from reference_models.losses._loss import Loss
from reference_models.recipe import Recipe
from reference_models.training import ema, schedule, seeds
from reference_models.training.data import Batches
from reference_models.training.state import State


@dataclass(frozen=True)
class Term:
    """A penalty ready for use: its function, its weight, and at each how many-th update it is taken."""

    penalty: Callable[[nn.Module, Tensor, Tensor], Tensor]
    weight: float
    interval: int


@dataclass(frozen=True)
class Rules:
    """What stays the same from step to step."""

    recipe: Recipe
    loss: Loss
    terms: tuple[Term, ...]
    batches: Batches
    seed: int
    steps: int
    device: torch.device


@dataclass(frozen=True)
class Losses:
    """The last adversarial losses of a step, without penalties: scalars still on the device."""

    generator: Tensor
    discriminator: Tensor


def make_rules(recipe: Recipe, batches: Batches, seed: int, steps: int, device: torch.device) -> Rules:
    """The rules of a recipe.

    Raises:
        UnknownNameError: its loss or a penalty of it does not exist.
    """
    terms = tuple(
        Term(catalogue.part("penalties", "penalty", each.name).penalty, each.weight, each.interval)
        for each in recipe.penalties
    )
    loss: Loss = catalogue.part("losses", "loss", recipe.loss).LOSS
    return Rules(recipe, loss, terms, batches, seed, steps, device)


def take_step(state: State, rules: Rules) -> Losses:
    """Update both players, then the average, and count the step.

    The generator's first update takes the fakes that the discriminator saw last, since its weights are still those that
    made them, and compares with the last real batch.
    """
    recipe, step = rules.recipe, state.step
    factor = schedule.factor(step, rules.steps, recipe.decay_from)
    _set_rate(state.generator_optimizer, recipe.generator.optimizer.learning_rate * factor)
    _set_rate(state.discriminator_optimizer, recipe.discriminator.optimizer.learning_rate * factor)
    for update in range(step * recipe.discriminator.steps, (step + 1) * recipe.discriminator.steps):
        real = rules.batches(update)
        fake = _fakes(state, rules, "discriminator", update)
        discriminator_loss = _update_discriminator(state, rules, real, fake.detach(), update)
    generator_loss = _update_generator(state, rules, real, fake)
    for update in range(step * recipe.generator.steps + 1, (step + 1) * recipe.generator.steps):
        generator_loss = _update_generator(state, rules, real, _fakes(state, rules, "generator", update))
    ema.update(state.generator_ema, state.generator, ema.decay_at(step, recipe.ema))
    state.step += 1
    return Losses(generator_loss, discriminator_loss)


def _update_discriminator(state: State, rules: Rules, real: Tensor, fake: Tensor, update: int) -> Tensor:
    loss = rules.loss.discriminator(state.discriminator(real), state.discriminator(fake))
    total = loss
    for term in rules.terms:
        if update % term.interval == 0:
            total = total + term.weight * term.interval * term.penalty(state.discriminator, real, fake)
    _descend(total, state.discriminator, state.discriminator_optimizer)
    return loss.detach()


def _update_generator(state: State, rules: Rules, real: Tensor, fake: Tensor) -> Tensor:
    fake_logits = state.discriminator(fake)
    real_logits = torch.zeros_like(fake_logits)
    if rules.loss.generator_compares:
        with torch.no_grad():
            real_logits = state.discriminator(real)
    loss = rules.loss.generator(real_logits, fake_logits)
    _descend(loss, state.generator, state.generator_optimizer)
    return loss.detach()


def _descend(loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward(inputs=list(network.parameters()))  # type: ignore[no-untyped-call]  # and not the other player's
    optimizer.step()


def _fakes(state: State, rules: Rules, purpose: str, update: int) -> Tensor:
    noise = seeds.noise(rules.recipe.latent, rules.recipe.batch_size, rules.seed, purpose, update)
    fake: Tensor = state.generator(noise.to(rules.device))
    return fake


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
