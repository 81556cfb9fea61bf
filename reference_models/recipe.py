"""Recipes: what to train and how, read from TOML files. A fault is a set of overrides that makes a run ill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag import InputError, Latent, UsageError
from reference_models import catalogue
from reference_models.tables import Table, merge, read_toml


@dataclass(frozen=True)
class Optimizer:
    """Adam (arXiv:1412.6980): its learning rate and the decays of its two moments."""

    learning_rate: float
    betas: tuple[float, float]


@dataclass(frozen=True)
class Player:
    """One of the two networks.

    Attributes:
        network: name of its file in `networks/generators` or `networks/discriminators`.
        config: arguments of its `build` that the data do not decide.
        steps: its updates in one step of the run.
        optimizer: of its weights.
    """

    network: str
    config: Mapping[str, Any]
    steps: int
    optimizer: Optimizer


@dataclass(frozen=True)
class Penalty:
    """A term of the discriminator's loss.

    Attributes:
        name: of its file in `penalties`.
        weight: its factor; gamma for R1 and R2, which carry their own half.
        interval: it is taken at each `interval`-th update, times `interval`: lazily, as in StyleGAN2, arXiv:1912.04958.
    """

    name: str
    weight: float
    interval: int


@dataclass(frozen=True)
class Recipe:
    """All that decides a run, besides its dataset, seed and device.

    Attributes:
        name: stem of its file.
        summary: it in one line.
        dataset: the data that it trains on unless told otherwise.
        loss: name of a file in `losses`.
        batch_size: samples in one batch, real and generated each.
        steps: generator and discriminator take turns so many times.
        ema: decay, per step, of the average of the generator's weights.
        decay_from: the part of the run after which learning rates fall linearly to zero; 1 for never.
        save_every: steps from one save to the next.
        preview_every: steps from one preview to the next.
        latent: the generator's input.
        generator: the one player.
        discriminator: the other.
        penalties: on the discriminator; those of weight 0 are left out.
    """

    name: str
    summary: str
    dataset: str
    loss: str
    batch_size: int
    steps: int
    ema: float
    decay_from: float
    save_every: int
    preview_every: int
    latent: Latent
    generator: Player
    discriminator: Player
    penalties: tuple[Penalty, ...]


def summaries(folder: str) -> dict[str, str]:
    """Names and summaries of the `recipes` or `faults`."""
    return {name: _summary(path) for name, path in catalogue.tables(folder).items()}


def load_recipe(name: str, dataset: str | None = None, fault: str | None = None) -> Recipe:
    """A shipped recipe, with its overrides for the dataset and then those of the fault.

    Raises:
        UnknownNameError: there is no such recipe or fault, or a key is unknown.
        UsageError: a value is of the wrong kind or range.
    """
    recipe = catalogue.table("recipes", "recipe", name)
    illness = catalogue.table("faults", "fault", fault) if fault is not None else None
    return read_recipe(recipe, dataset, illness)


def read_recipe(path: Path, dataset: str | None = None, fault: Path | None = None) -> Recipe:
    """A recipe from its file, with its overrides for the dataset and then those of the fault's file.

    Raises:
        UnknownNameError: a key is unknown.
        UsageError: a value is of the wrong kind or range.
    """
    values = read_toml(path)
    where = f"recipe {path.stem}"
    datasets = Table({"datasets": values.pop("datasets", {})}, where).table("datasets").tables()
    chosen = dataset if dataset is not None else values.get("dataset", "")
    for name, table in datasets.items():
        if name == chosen:
            values = merge(values, table.plain())
    if fault is not None:
        overrides = read_toml(fault)
        overrides.pop("summary", None)
        values = merge(values, overrides)
        where = f"{where} with fault {fault.stem}"
    return _recipe(path.stem, Table(values, where))


def _recipe(name: str, table: Table) -> Recipe:
    recipe = Recipe(
        name=name,
        summary=table.text("summary"),
        dataset=table.text("dataset"),
        loss=table.text("loss"),
        batch_size=table.whole("batch_size", least=2),
        steps=table.whole("steps"),
        ema=table.number("ema", 0.999, high=0.999999),
        decay_from=table.number("decay_from", 1.0, high=1.0),
        save_every=table.whole("save_every", 1000),
        preview_every=table.whole("preview_every", 500),
        latent=_latent(table.table("latent")),
        generator=_player(table.table("generator")),
        discriminator=_player(table.table("discriminator")),
        penalties=_penalties(table.table("penalties")),
    )
    table.close()
    return recipe


def _latent(table: Table) -> Latent:
    dim, distribution = table.whole("dim"), table.text("distribution", "normal")
    table.close()
    try:
        return Latent(dim, distribution)
    except InputError as error:
        raise UsageError(f"{table.where}: {error}") from error


def _player(table: Table) -> Player:
    player = Player(
        network=table.text("network"),
        config=table.table("config").plain(),
        steps=table.whole("steps", 1),
        optimizer=_optimizer(table.table("optimizer")),
    )
    table.close()
    return player


def _optimizer(table: Table) -> Optimizer:
    optimizer = Optimizer(table.number("learning_rate"), table.pair("betas", (0.9, 0.999)))
    table.close()
    return optimizer


def _penalties(table: Table) -> tuple[Penalty, ...]:
    penalties = []
    for name, values in table.tables().items():
        penalty = Penalty(name, values.number("weight"), values.whole("interval", 1))
        values.close()
        if penalty.weight > 0:
            penalties.append(penalty)
    return tuple(penalties)


def _summary(path: Path) -> str:
    return Table(read_toml(path), str(path)).text("summary")
