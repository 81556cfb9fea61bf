"""One plain GAN loop, with the one line of gandiag."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from configurations import Configuration
from torch import Tensor, nn

import gandiag
from reference_models import catalogue

EVALUATE = 100  # steps from one look at the samples to the next
LOOKED_AT = 1000


@dataclass
class History:
    """What the loop itself saw, for the truth."""

    samples: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    generator_norms: list[float] = field(default_factory=list)
    discriminator_norms: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    non_finite: int | None = None
    generator_moved: float = 0.0
    discriminator_moved: float = 0.0


@dataclass(frozen=True)
class Data:
    """Training samples, other real ones, and how modes are counted."""

    train: Tensor
    held_out: Tensor
    look: Callable[[Tensor], dict[str, float]]
    modes: int


def train(configuration: Configuration, seed: int, folder: Path, data: Data) -> tuple[History, float]:
    """Train one run with its monitor's log in `folder`."""
    torch.manual_seed(seed)  # noqa: TID251 - a user's loop does so
    random = torch.Generator().manual_seed(seed)
    shape = tuple(data.train.shape[1:])
    real_set = data.train
    if configuration.images:
        real_set = real_set[torch.randperm(len(real_set), generator=random)[: configuration.images]]
    generator, discriminator = _networks(configuration, shape)
    g_optimizer = _optimizer(configuration, generator, "generator")
    d_optimizer = _optimizer(configuration, discriminator, "discriminator")
    loss = catalogue.part("losses", "loss", configuration.loss).LOSS
    penalties = [(_penalty(name), weight) for name, weight in configuration.penalties]
    history = History()
    start = [_weights(network) for network in (generator, discriminator)]

    def real() -> Tensor:
        return real_set[torch.randint(len(real_set), (configuration.batch,), generator=random)]

    def noise() -> Tensor:
        drawn = torch.randn(configuration.batch, configuration.latent, generator=random)
        return torch.zeros_like(drawn) if configuration.bug == "no noise" else drawn

    def discriminator_step(step: int) -> None:
        d_optimizer.zero_grad()
        for _ in range(configuration.accumulate):
            x = real()
            with torch.no_grad():
                fake = generator(noise())
            one, other = discriminator(x), discriminator(fake.detach())
            if configuration.bug == "swapped labels":
                value = loss.discriminator(other, one)
            elif configuration.bug == "naive logarithm":
                value = -(torch.log(torch.sigmoid(one)) + torch.log(1 - torch.sigmoid(other))).mean()
            else:
                value = loss.discriminator(one, other)
            if configuration.bug == "wrong sign":
                value = -value
            for penalty, weight in penalties:
                value = value + weight * penalty(discriminator, x, fake.detach(), random)
            (value / configuration.accumulate).backward()
            _finite(history, step, value)
        if step % 10 == 0:
            with torch.no_grad():
                history.accuracies.append(_auc(one, other))
                history.discriminator_norms.append(_norm(discriminator))
        if configuration.bug != "frozen discriminator":
            d_optimizer.step()
        if configuration.clip:
            with torch.no_grad():
                for weight in discriminator.parameters():
                    weight.clamp_(-configuration.clip, configuration.clip)

    def generator_step(step: int) -> None:
        g_optimizer.zero_grad()
        for _ in range(configuration.accumulate):
            fake = generator(noise())
            fake = fake.detach() if configuration.bug == "detached" else fake
            other = discriminator(fake)
            one = discriminator(real()).detach() if loss.generator_compares else other
            value = loss.generator(one, other)
            if configuration.bug == "naive logarithm":
                value = -torch.log(torch.sigmoid(other)).mean()
            (value / configuration.accumulate).backward()
            _finite(history, step, value)
        if step % 10 == 0:
            history.generator_norms.append(_norm(generator))
        g_optimizer.step()

    for step in range(configuration.pretrain):
        discriminator_step(-step - 1)
    begun = time.perf_counter()
    monitor = gandiag.watch(
        generator, discriminator, g_optimizer, d_optimizer, run=folder, sinks=(), held_out=data.held_out[:128]
    )
    with monitor:
        for step in range(1, configuration.steps + 1):
            _set_rates(configuration, step, g_optimizer, d_optimizer)
            for _ in range(configuration.discriminator_steps):
                discriminator_step(step)
            for _ in range(configuration.generator_steps if _ahead(configuration, step) else 1):
                generator_step(step)
            if step % EVALUATE == 0:
                history.samples.append((monitor.current_step, _look(configuration, generator, data)))
                history.held_out.append(_held_out(discriminator, real_set, data.held_out))
            if history.non_finite is not None and step > history.non_finite + 200:
                break
    seconds = time.perf_counter() - begun
    history.generator_moved, history.discriminator_moved = (
        float((_weights(network) - before).norm() / before.norm().clamp_min(1e-12))
        for network, before in zip((generator, discriminator), start, strict=True)
    )
    return history, seconds


def _ahead(configuration: Configuration, step: int) -> bool:
    return configuration.turn == 0 or step > configuration.turn


def _set_rates(configuration: Configuration, step: int, *optimizers: torch.optim.Optimizer) -> None:
    for optimizer, rate, name in zip(
        optimizers,
        (configuration.generator_rate, configuration.discriminator_rate),
        ("generator_rate", "discriminator_rate"),
        strict=True,
    ):
        factor = configuration.turned.get(name, 1.0) if configuration.turn and step > configuration.turn else 1.0
        left = (configuration.steps - step) / configuration.steps
        if configuration.decay and left < 1 - configuration.decay:
            factor *= max(left / (1 - configuration.decay), 0.02)
        for group in optimizer.param_groups:
            group["lr"] = rate * factor


def _networks(configuration: Configuration, shape: tuple[int, ...]) -> tuple[nn.Module, nn.Module]:
    kinds = [
        catalogue.part(f"networks.{kind}", kind[:-1], configuration.networks)
        for kind in ("generators", "discriminators")
    ]
    width = configuration.hidden
    if configuration.networks == "dcgan":
        generator = kinds[0].build(latent_dim=configuration.latent, channels=shape[0], width=width)
        discriminator = kinds[1].build(channels=shape[0], width=width, norm="batch")
    else:
        wide = [width, width, width] if len(shape) == 1 else [width, 2 * width]
        generator = kinds[0].build(latent_dim=configuration.latent, shape=shape, hidden=wide, norm=configuration.norm)
        discriminator = kinds[1].build(
            shape=shape, hidden=[width, width, width] if len(shape) == 1 else [2 * width, width]
        )
    if configuration.spectral:
        for module in discriminator.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.utils.parametrizations.spectral_norm(module)
    return generator, discriminator


def _optimizer(configuration: Configuration, network: nn.Module, player: str) -> torch.optim.Optimizer:
    rate = configuration.generator_rate if player == "generator" else configuration.discriminator_rate
    if configuration.optimizer == "sgd" or configuration.optimizer == f"{player}-sgd":
        return torch.optim.SGD(network.parameters(), lr=rate, fused=True)
    return torch.optim.Adam(network.parameters(), lr=rate, betas=configuration.betas, fused=True)


def _penalty(name: str) -> Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]:
    found: Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor] = catalogue.part(
        "penalties", "penalty", name
    ).penalty
    return found


@torch.no_grad()
def _look(configuration: Configuration, generator: nn.Module, data: Data) -> dict[str, float]:
    drawn = torch.randn(LOOKED_AT, configuration.latent, generator=torch.Generator().manual_seed(1))
    drawn = torch.zeros_like(drawn) if configuration.bug == "no noise" else drawn
    training = {module: module.training for module in generator.modules()}
    generator.eval()
    fake = generator(drawn)
    for module, mode in training.items():
        module.training = mode
    if not bool(torch.isfinite(fake).all()):
        return {"modes": 0.0, "variance": 0.0, "spread": 0.0}
    real = data.held_out[:LOOKED_AT].flatten(1)
    flat = fake.flatten(1)
    return {
        **data.look(fake),
        "variance": float(flat.var(0).sum() / real.var(0).sum()),
        "spread": float((flat.mean(0) - real.mean(0)).norm() / real.var(0).sum().sqrt()),
    }


@torch.no_grad()
def _held_out(discriminator: nn.Module, train_set: Tensor, others: Tensor) -> float:
    modes = {module: module.training for module in discriminator.modules()}
    discriminator.eval()
    scores = discriminator(train_set[:500]), discriminator(others[:500])
    for module, mode in modes.items():
        module.training = mode
    return _auc(*scores)


def _auc(one: Tensor, other: Tensor) -> float:
    if not bool(torch.isfinite(one).all() & torch.isfinite(other).all()):
        return math.nan
    ranks = torch.cat([one, other]).flatten().double().numpy()
    first, second = ranks[: len(one)], ranks[len(one) :]
    return float(np.mean((first[:, None] > second) + 0.5 * (first[:, None] == second)))


def _norm(network: nn.Module) -> float:
    grads = [weight.grad for weight in network.parameters() if weight.grad is not None]
    return float(torch.stack([grad.norm() for grad in grads]).norm()) if grads else 0.0


def _weights(network: nn.Module) -> Tensor:
    return torch.cat([weight.detach().flatten().double() for weight in network.parameters()])


def _finite(history: History, step: int, value: Tensor) -> None:
    if history.non_finite is None and not math.isfinite(float(value.detach())):
        history.non_finite = max(step, 1)


def as_plain(history: History) -> dict[str, Any]:
    """The history as JSON values: not finite is null."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [plain(inner) for inner in value]
        if isinstance(value, float):
            return float(f"{value:.5g}") if math.isfinite(value) else None
        return value

    return {name: plain(value) for name, value in vars(history).items()}
