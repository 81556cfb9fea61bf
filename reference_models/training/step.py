"""One step of a run: the discriminator's updates, then the generator's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from reference_models import catalogue
from reference_models.losses._loss import Loss
from reference_models.recipe import Recipe
from reference_models.techniques._technique import Moment, Technique, Turn
from reference_models.training import ema, schedule, seeds
from reference_models.training.data import Batches, Data, classes, to_range
from reference_models.training.parallel import ALONE, Team
from reference_models.training.state import State


@dataclass(frozen=True)
class Term:
    """A penalty ready for use: its function, its weight, and at each how many-th update it is taken."""

    penalty: Callable[[Callable[[Tensor], Tensor], Tensor, Tensor, torch.Generator], Tensor]
    weight: float
    interval: int
    name: str


@dataclass(frozen=True)
class Rules:
    """What stays the same from step to step.

    Attributes:
        recipe: of the run.
        loss: the adversarial one.
        terms: penalties.
        techniques: whose hooks are called, in order.
        batches: of real samples; None where a task draws them.
        seed: of all that is drawn.
        steps: in all.
        device: where the networks are.
        amp: whether the networks compute in bfloat16, where that is safe.
        team: the processes that share the batch.
    """

    recipe: Recipe
    loss: Loss
    terms: tuple[Term, ...]
    techniques: tuple[Technique, ...]
    batches: Batches | None
    seed: int
    steps: int
    device: torch.device
    amp: bool = False
    team: Team = ALONE

    @property
    def with_features(self) -> bool:
        """Whether a technique looks at the discriminator's features."""
        return any(technique.needs_features for technique in self.techniques)


@dataclass(frozen=True)
class Losses:
    """The last losses of a step: scalars still on the device.

    They are adversarial, without penalties and techniques; of an image-to-image model, the generators' is all of it.
    """

    generator: Tensor
    discriminator: Tensor
    real_logits: Tensor = field(default_factory=lambda: torch.zeros(0))
    fake_logits: Tensor = field(default_factory=lambda: torch.zeros(0))


@dataclass(frozen=True)
class _Pair:
    """A real batch and a generated one: noise, classes if any, and the fakes with their graph."""

    noise: Tensor
    labels: Tensor | None
    real: Tensor
    fake: Tensor


def make_rules(
    recipe: Recipe,
    batches: Batches | None,
    seed: int,
    steps: int,
    device: torch.device,
    techniques: Mapping[str, Technique] | None = None,
    amp: bool = False,
    team: Team = ALONE,
) -> Rules:
    """The rules of a recipe.

    Raises:
        UnknownNameError: its loss or a penalty of it does not exist.
    """
    terms = tuple(
        Term(catalogue.part("penalties", "penalty", each.name).penalty, each.weight, each.interval, each.name)
        for each in recipe.penalties
    )
    loss: Loss = catalogue.part("losses", "loss", recipe.loss).LOSS
    active = tuple((techniques or {}).values())
    return Rules(recipe, loss, terms, active, batches, seed, steps, device, amp, team)


def take_step(state: State, rules: Rules) -> Losses:
    """Update both players, then the average, and count the step.

    The generator's first update takes the fakes that the discriminator saw last, since its weights are still those that
    made them, and compares with the last real batch.
    """
    recipe, step = rules.recipe, state.step
    factor = schedule.factor(step, rules.steps, recipe.decay_from)
    set_rate(state.generator_optimizer, recipe.generator.optimizer.learning_rate * factor)
    set_rate(state.discriminator_optimizer, recipe.discriminator.optimizer.learning_rate * factor)
    for technique in rules.techniques:
        technique.before_step(state.generator, state.discriminator, _moment(state, rules, "both", step))
    with seeds.fixed(rules.device, rules.seed, "networks", step, rules.team.rank):
        losses = _update_players(state, rules)
    rules.team.average_buffers(state.generator, state.discriminator)
    ema.update(state.generator_ema, state.generator, ema.decay_at(step, recipe.ema))
    state.step += 1
    return losses


def _update_players(state: State, rules: Rules) -> Losses:
    recipe, step = rules.recipe, state.step
    begin = recipe.head_start + step * recipe.discriminator.steps if step else 0
    end = recipe.head_start + (step + 1) * recipe.discriminator.steps
    if recipe.simultaneous:
        # The gradient of the generator belongs to the discriminator as it was: it is taken now and used below.
        pair = _pair(state, rules, "generator", step * recipe.generator.steps, begin)
        generator_loss = _generator_gradient(state, rules, pair, step * recipe.generator.steps)
    for update in range(begin, end):
        pair = _pair(state, rules, "discriminator", update, update)
        discriminator_loss, real_logits, fake_logits = _update_discriminator(state, rules, pair, update)
    for update in range(step * recipe.generator.steps, (step + 1) * recipe.generator.steps):
        first = update == step * recipe.generator.steps
        if not first:
            pair = _pair(state, rules, "generator", update, end - 1)
        if not (first and recipe.simultaneous):
            generator_loss = _generator_gradient(state, rules, pair, update)
        state.generator_optimizer.step()
        for technique in rules.techniques:
            technique.after_generator(state.generator)
    return Losses(generator_loss, discriminator_loss, real_logits, fake_logits)


def _update_discriminator(state: State, rules: Rules, pair: _Pair, update: int) -> tuple[Tensor, Tensor, Tensor]:
    moment = _moment(state, rules, "discriminator", update)
    fake = pair.fake.detach()
    for technique in rules.techniques:
        fake = technique.replay(fake, moment)
    real, fake = _viewed(pair.real, fake, rules, moment)
    with precision(rules):
        judged = _judged(state.discriminator, real, fake, pair.labels, rules, rules.recipe.joint_batches)
        turn = _turn(state, rules, moment, pair, real, fake, judged, state.discriminator)
        loss = rules.loss.discriminator(turn.real_logits, turn.fake_logits)
        total = loss
        for technique in rules.techniques:
            total = technique.discriminator_loss(total, turn)
    judge = partial(_logits, state.discriminator, pair.labels)
    for term in rules.terms:
        if update % term.interval == 0:
            value = term.penalty(judge, real, fake, moment.draw(f"penalty {term.name}"))
            total = total + term.weight * term.interval * value
    backward(total, state.discriminator_optimizer, rules.team)
    state.discriminator_optimizer.step()
    for technique in rules.techniques:
        technique.after_discriminator(state.discriminator)
    return loss.detach(), turn.real_logits.detach(), turn.fake_logits.detach()


def _generator_gradient(state: State, rules: Rules, pair: _Pair, update: int) -> Tensor:
    moment = _moment(state, rules, "generator", update)
    real, fake = _viewed(pair.real, pair.fake, rules, moment)
    judge: Callable[..., Any] = state.discriminator
    for technique in rules.techniques:
        judge = technique.look_ahead(judge, real, fake, _said(state.discriminator, pair.labels))
    with precision(rules):
        fake_logits, fake_features = _judge(judge, fake, _said(state.discriminator, pair.labels), rules)
        real_logits, real_features = torch.zeros_like(fake_logits), torch.zeros(0)
        compares = rules.loss.generator_compares or rules.with_features
        if compares:
            # Of a discriminator some updates ahead, what it says of real samples hangs on the generator too.
            with torch.set_grad_enabled(judge is not state.discriminator):
                real_logits, real_features = _judge(judge, real, _said(state.discriminator, pair.labels), rules)
        judged = (real_logits, fake_logits, real_features, fake_features)
        turn = _turn(state, rules, moment, pair, real, fake, judged, judge)
        loss = rules.loss.generator(real_logits, fake_logits)
        total = loss
        for technique in rules.techniques:
            total = technique.generator_loss(total, turn)
    backward(total, state.generator_optimizer, rules.team)
    return loss.detach()


def _pair(state: State, rules: Rules, purpose: str, update: int, batch: int) -> _Pair:
    """Real batch number `batch`, and fakes for an update of a player."""
    batches = cast(Batches, rules.batches)
    real = rules.team.rows(batches(batch))
    labels = rules.team.rows(batches.labels(batch)) if rules.recipe.conditional else None
    noise = seeds.noise(rules.recipe.prior, rules.recipe.batch_size, rules.seed, purpose, update)
    noise = rules.team.rows(noise).to(rules.device)
    with precision(rules):
        said = labels if rules.recipe.generator.conditional else None
        fake = state.generator(noise) if said is None else state.generator(noise, said)
    return _Pair(noise, labels, real, fake.float())


def held_out_batch(data: Data | None, state: State, rules: Rules) -> tuple[Tensor, ...] | None:
    """A batch of real samples that are not trained on, as the discriminator takes them.

    None where there are too few, or where what the discriminator sees of a sample changes as the run goes on.
    """
    if data is None or not all(technique.steady_view for technique in rules.techniques):
        return None
    count, wanted = data.info.size, rules.recipe.batch_size // rules.team.size
    if count is not None and count < wanted:
        return None
    samples = to_range(data.read(0, wanted)).to(rules.device)
    samples, _ = _viewed(samples, samples, rules, _moment(state, rules, "held out", 0))
    said = _said(state.discriminator, classes(data, 0, wanted).to(rules.device)) if rules.recipe.conditional else None
    return (samples,) if said is None else (samples, said)


def _viewed(real: Tensor, fake: Tensor, rules: Rules, moment: Moment) -> tuple[Tensor, Tensor]:
    return _seen(real, rules, moment, "real"), _seen(fake, rules, moment, "fake")


def _seen(samples: Tensor, rules: Rules, moment: Moment, side: str) -> Tensor:
    for technique in rules.techniques:
        samples = technique.view(samples, side, moment)
    return samples


def _judged(
    discriminator: nn.Module, real: Tensor, fake: Tensor, labels: Tensor | None, rules: Rules, jointly: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    said = _said(discriminator, labels)
    if not jointly:
        one, other = _judge(discriminator, real, said, rules), _judge(discriminator, fake, said, rules)
        return one[0], other[0], one[1], other[1]
    both = _judge(discriminator, torch.cat([real, fake]), None if said is None else torch.cat([said, said]), rules)
    # Halves, and not as many as there are samples: of a sample there may be the logits of several patches.
    (real_logits, fake_logits), (real_features, fake_features) = (each.tensor_split(2) for each in both)
    return real_logits, fake_logits, real_features, fake_features


def _judge(judge: Callable[..., Any], samples: Tensor, labels: Tensor | None, rules: Rules) -> tuple[Tensor, Tensor]:
    """Logits, and features where they are wanted."""
    said = () if labels is None else (labels,)
    if not rules.with_features:
        return judge(samples, *said).float(), torch.zeros(0)
    logits, features = judge(samples, *said, with_features=True)
    return logits.float(), features.float()


def _logits(discriminator: nn.Module, labels: Tensor | None, samples: Tensor) -> Tensor:
    said = _said(discriminator, labels)
    logits: Tensor = discriminator(samples) if said is None else discriminator(samples, said)
    return logits


def _said(discriminator: nn.Module, labels: Tensor | None) -> Tensor | None:
    """The labels, for a discriminator that takes them."""
    return labels if getattr(discriminator, "condition", None) is not None else None


def _turn(
    state: State,
    rules: Rules,
    moment: Moment,
    pair: _Pair,
    real: Tensor,
    fake: Tensor,
    judged: tuple[Tensor, Tensor, Tensor, Tensor],
    judge: Callable[..., Any],
) -> Turn:
    return Turn(
        moment=moment,
        generator=state.generator,
        discriminator=state.discriminator,
        judge=judge,
        view=lambda samples: _seen(samples, rules, moment, "fake"),
        labels=pair.labels,
        noise=pair.noise,
        samples=pair.real,
        made=pair.fake,
        real=real,
        fake=fake,
        real_logits=judged[0],
        fake_logits=judged[1],
        real_features=judged[2],
        fake_features=judged[3],
    )


def _moment(state: State, rules: Rules, player: str, update: int) -> Moment:
    def draw(purpose: str) -> torch.Generator:
        return seeds.generator(rules.seed, purpose, player, update, rules.team.rank)

    return Moment(state.step / rules.steps, draw, rules.device, state.step, update)


def precision(rules: Rules) -> torch.autocast:
    """bfloat16 where that is wanted and safe."""
    return torch.autocast(rules.device.type, torch.bfloat16, enabled=rules.amp)


def backward(loss: Tensor, optimizer: torch.optim.Optimizer, team: Team) -> None:
    """The gradient of the weights of one optimizer, and of nobody else's."""
    weights: list[Tensor] = [weight for group in optimizer.param_groups for weight in group["params"]]
    optimizer.zero_grad(set_to_none=True)
    loss.backward(inputs=weights)  # type: ignore[no-untyped-call]
    team.average(weight.grad for weight in weights)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all weights of an optimizer one learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
