"""What a technique is: an object whose hooks the one training loop calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gandiag import Latent, UsageError
from reference_models.losses._loss import Loss
from reference_models.networks.discriminators._discriminator import Discriminator
from reference_models.tables import MOST, shortened, within


@dataclass(frozen=True)
class Setting:
    """What a technique may want to know of the run before it begins.

    Attributes:
        loss: the recipe's.
        shape: of one sample.
        latent: the generator's input.
        batch_size: samples in a batch of this process.
        num_classes: of the labels; None for an unconditional recipe.
        judged: samples, or packs of them, that the discriminator sees of such a batch; `make_techniques` counts them.
    """

    loss: Loss
    shape: tuple[int, ...]
    latent: Latent
    batch_size: int
    num_classes: int | None
    judged: int = 0


@dataclass(frozen=True)
class Moment:
    """When something happens.

    Attributes:
        part: of the run that is over, from 0 to below 1.
        draw: a source of random numbers for a purpose, a function of the seed, the update and the purpose alone.
        device: where the networks are.
        step: of the run, counted from 0.
        update: of the player, counted from 0.
    """

    part: float
    draw: Callable[[str], torch.Generator]
    device: torch.device
    step: int = 0
    update: int = 0


@dataclass(frozen=True)
class Turn:
    """One update of one player, as its loss sees it.

    Attributes:
        moment: when.
        generator, discriminator: the players.
        judge: the discriminator to use in a loss: the player itself, or what a technique put in its place.
        view: what the discriminator sees of further samples of the generator: all techniques' `view` of fakes.
        labels: classes (n,) of both batches; None for an unconditional recipe.
        noise: (n, dim) that the fakes were made from.
        samples: the real batch, before any technique's `view`.
        made: the fakes, before any technique's `view`.
        real, fake: what the discriminator saw.
        real_logits, fake_logits: what it said.
        real_features, fake_features: what it said that from; only where a technique `needs_features`.
    """

    moment: Moment
    generator: nn.Module
    discriminator: nn.Module
    judge: Callable[..., Any]
    view: Callable[[Tensor], Tensor]
    labels: Tensor | None
    noise: Tensor
    samples: Tensor
    made: Tensor
    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    real_features: Tensor
    fake_features: Tensor


class Technique:
    """One change to how a GAN is trained. A hook that a technique leaves alone does nothing.

    The arguments of `__init__` are the keys of its table in a recipe.
    """

    needs_features = False  # of the discriminator, in a `Turn`
    steady_view = True  # whether its `view` shows the same at all times
    paced = False  # whether what it does at a step depends on how many there are in all
    last = False  # whether it alters the discriminator after the others

    def begin(self, setting: Setting) -> None:
        """Learn what the run is like; called once, before anything else.

        Raises:
            UsageError: the technique makes no sense there.
        """

    def discriminator_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of one sample as the discriminator sees it."""
        return shape

    def discriminator_batch(self, count: int) -> int:
        """How many samples the discriminator sees of so many."""
        return count

    def alter_generator(self, network: nn.Module) -> None:
        """Change the new network in place; as `alter_discriminator`."""

    def alter_discriminator(self, network: nn.Module) -> None:
        """Change the new network in place. What is drawn from PyTorch's default generator depends on the seed alone."""

    def move(self, device: torch.device) -> None:
        """Put networks of the technique's own there."""

    def generator_parameters(self) -> Iterable[nn.Parameter]:
        """More weights for the generator's optimizer."""
        return ()

    def before_step(self, generator: nn.Module, discriminator: nn.Module, moment: Moment) -> None:
        """Called at the beginning of each step of the run."""

    def replay(self, fake: Tensor, moment: Moment) -> Tensor:
        """The fakes for the discriminator's turn, detached."""
        return fake

    def view(self, samples: Tensor, side: str, moment: Moment) -> Tensor:
        """What the discriminator sees of samples; `side` is `real` or `fake`."""
        return samples

    def look_ahead(
        self, judge: Callable[..., Any], real: Tensor, fake: Tensor, labels: Tensor | None
    ) -> Callable[..., Any]:
        """The discriminator for the generator's turn."""
        return judge

    def discriminator_loss(self, loss: Tensor, turn: Turn) -> Tensor:
        """The discriminator's loss, given what it was so far."""
        return loss

    def generator_loss(self, loss: Tensor, turn: Turn) -> Tensor:
        """The generator's loss, given what it was so far."""
        return loss

    def after_discriminator(self, discriminator: nn.Module) -> None:
        """Called after each update of the discriminator."""

    def after_generator(self, generator: nn.Module) -> None:
        """Called after each update of the generator."""

    def state(self) -> dict[str, Tensor]:
        """All that changes from update to update."""
        return {}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave; raises KeyError or RuntimeError for another technique's."""


def featured(technique: str, network: nn.Module) -> Discriminator:
    """The discriminator as one that has features, and a head that looks at them.

    Raises:
        UsageError: it has none to give.
    """
    if not isinstance(network, Discriminator):
        message = f"technique {technique} needs a discriminator with features"
        raise UsageError(f"{message}; choose another discriminator.network, such as dcgan or mlp, or leave it out")
    return network


def positive(technique: str, key: str, value: float, high: float = float("inf")) -> float:
    """`value` if it is a number above 0 and at most `high`.

    Raises:
        UsageError: it is not.
    """
    if not within(value, high=high) or value <= 0:
        bound = "" if high == float("inf") else f" and at most {high:g}"
        raise UsageError(f"technique {technique}: {key} is {shortened(value)}, expected a number above 0{bound}")
    return float(value)


def whole(technique: str, key: str, value: int, least: int = 1) -> int:
    """`value` if it is a whole number from `least` to a billion.

    Raises:
        UsageError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
        limits = f"at least {least} and at most {MOST:,}"
        raise UsageError(f"technique {technique}: {key} is {shortened(value)}, expected a whole number of {limits}")
    return value


def text(technique: str, key: str, value: object) -> str:
    """`value` if it is a text.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(value, str):
        raise UsageError(f"technique {technique}: {key} is {shortened(value)}, expected a text")
    return value


def table(technique: str, key: str, value: object) -> dict[str, Any]:
    """`value` if it is a table.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(value, Mapping):
        raise UsageError(f"technique {technique}: {key} is {shortened(value)}, expected a table")
    return dict(value)
