"""Recipes: what to train and how, read from TOML files. A fault is a set of overrides that makes a run ill."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import gandiag
from gandiag import GandiagError, InputError, Latent, UnknownNameError, UsageError
from reference_models import catalogue
from reference_models.tables import Table, merge, parse_toml, read_toml, shortened

PLAYERS = ("generator", "discriminator")
OPTIMIZERS = ("adam", "rmsprop", "sgd")
ABOUT = ("summary", "networks", "networks_only", "noise_only", "no_penalties")  # of a fault: no keys of a recipe
MOST_SAMPLES = 2**16  # in a batch


@dataclass(frozen=True)
class Optimizer:
    """How weights are updated.

    Attributes:
        learning_rate: its step.
        betas: decays of the two moments of Adam (arXiv:1412.6980); the others have none.
        kind: `adam`, `rmsprop` or `sgd`.
        momentum: of `rmsprop` and `sgd`.
    """

    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    kind: str = "adam"
    momentum: float = 0.0


@dataclass(frozen=True)
class Player:
    """One of the two networks.

    Attributes:
        network: name of its file in `networks/generators` or `networks/discriminators`.
        config: arguments of its `build` that the data do not decide.
        steps: its updates in one step of the run.
        optimizer: of its weights.
        conditional: whether it takes the class of a sample beside its input.
    """

    network: str
    config: Mapping[str, Any]
    steps: int
    optimizer: Optimizer
    conditional: bool = False


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
class Choice:
    """A technique that is on: the name of its file in `techniques`, and its numbers."""

    name: str
    config: Mapping[str, Any]


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
        latent: the generator's input; None where it takes images.
        generator: the one player.
        discriminator: the other.
        penalties: on the discriminator; those of weight 0 are left out.
        techniques: that are on, in the order in which their hooks are called.
        samples: only so many samples of the dataset are used; 0 for all.
        head_start: updates of the discriminator before the first step.
        simultaneous: the generator's gradient is taken before the discriminator's update, not after it.
        joint_batches: the discriminator's turn shows it real samples and fakes in one batch, not in two.
        task: of an image-to-image model, with its numbers; None for one that takes noise.
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
    latent: Latent | None
    generator: Player
    discriminator: Player
    penalties: tuple[Penalty, ...]
    techniques: tuple[Choice, ...] = ()
    samples: int = 0
    head_start: int = 0
    simultaneous: bool = False
    joint_batches: bool = False
    task: Choice | None = None

    @property
    def prior(self) -> Latent:
        """The distribution of the noise.

        Raises:
            UsageError: the generator takes images.
        """
        if self.latent is None:
            raise UsageError(f"recipe {self.name} has no latent: its generator takes images")
        return self.latent

    @property
    def conditional(self) -> bool:
        """Whether it takes the labels of the data."""
        return self.generator.conditional or self.discriminator.conditional


def summaries(folder: str) -> dict[str, str]:
    """Names and summaries of the `recipes` or `faults`."""
    return {name: _summary(path) for name, path in catalogue.tables(folder).items()}


def load_recipe(
    name: str, dataset: str | None = None, fault: str | None = None, overrides: Sequence[str] = ()
) -> Recipe:
    """A shipped recipe by its name, or one's own by the path of its file, as `read_recipe` reads it.

    Raises:
        UnknownNameError: there is no such recipe or fault, or a key is unknown.
        UsageError: a value is of the wrong kind or range, or there is no such file.
    """
    own = Path(name)
    if own.suffix != ".toml":
        own = catalogue.table("recipes", "recipe", name)
    elif own.is_dir():
        raise UsageError(f"{name!r} is a folder, expected a recipe file")
    elif not own.is_file():
        raise UsageError(f"there is no recipe file {name!r}; check the path, or name one of `gandiag list recipes`")
    illness = catalogue.table("faults", "fault", fault) if fault is not None else None
    return read_recipe(own, dataset, illness, overrides)


def read_recipe(
    path: Path, dataset: str | None = None, fault: Path | None = None, overrides: Sequence[str] = ()
) -> Recipe:
    """A recipe from its file.

    What counts, the later before the earlier: the recipe that it `extends`, itself, its table for the dataset, the
    fault, the fault's table for the discriminator's network, the overrides.

    Args:
        path: of the file.
        dataset: that it is for; None for its own.
        fault: file of a fault.
        overrides: such as `loss="hinge"` or `techniques.packing.samples=2`, each a line of TOML.

    Raises:
        UnknownNameError: a key is unknown.
        UsageError: a value is of the wrong kind or range.
    """
    layers = _layers(path)
    said = (str(layer.values["dataset"]) for layer in reversed(layers) if "dataset" in layer.values)
    chosen = dataset if dataset is not None else next(said, "")
    for layer in layers:
        layer.check(chosen)
    values, where = _joined(layers, chosen), f"recipe {path.stem}"
    if fault is not None:
        values = _ill(values, fault)
        where = f"{where} with fault {fault.stem}"
    changes: dict[str, Any] = {}
    for line in overrides:
        changes = merge(changes, _parsed(line))
    return _recipe(path.stem, Table(override(values, changes), where))


def overridden(overrides: Sequence[str]) -> set[str]:
    """The keys and tables of a recipe that overrides name.

    Raises:
        UsageError: one is no override.
    """
    return {key for line in overrides for key in _parsed(line)}


def override(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `overrides` in place of its values, table by table.

    Another network, or another task, drops the config of the old one.
    """
    kept = dict(base)
    for player in PLAYERS:
        old, new = kept.get(player), overrides.get(player)
        if isinstance(old, dict) and isinstance(new, dict):
            network = new.get("network", old.get("network"))
            kept[player] = {k: v for k, v in old.items() if k != "config" or network == old.get("network")}
    old, new = kept.get("task"), overrides.get("task")
    if isinstance(old, dict) and isinstance(new, dict) and new.get("name", old.get("name")) != old.get("name"):
        del kept["task"]
    return merge(kept, overrides)


@dataclass(frozen=True)
class _Layer:
    """The content of one recipe's file, and its tables for datasets by their names."""

    values: Mapping[str, Any]
    datasets: Mapping[str, Table]

    def tables(self, dataset: str) -> list[dict[str, Any]]:
        """Those for a dataset, whichever of `-` and `_` its name is written with."""
        wanted = catalogue.spelt(dataset)
        return [table.plain() for name, table in self.datasets.items() if catalogue.spelt(name) == wanted]

    def check(self, dataset: str) -> None:
        """Refuse a table for what is no dataset, which would never count; one for `dataset` counts.

        Raises:
            UsageError: there is no dataset of that name.
            UnknownNameError: a table has a key that no recipe has.
        """
        known = [field.name for field in fields(Recipe) if field.name != "name"]
        for name, table in self.datasets.items():
            table.expect(known)
            if catalogue.spelt(name) != catalogue.spelt(dataset):
                _check_dataset(name, table.where)


def _layers(path: Path) -> list[_Layer]:
    """A recipe after the shipped ones that it extends, the lowest first."""
    layers: list[_Layer] = []
    seen: set[Path] = set()
    below: Path | None = path
    while below is not None:
        seen.add(below.resolve())
        values, stem = read_toml(below), below.stem
        datasets = Table({"datasets": values.pop("datasets", {})}, f"recipe {stem}").table("datasets").tables()
        name, below = values.pop("extends", None), None
        layers.insert(0, _Layer(values, datasets))
        if name is None:
            continue
        if not isinstance(name, str):
            raise UsageError(f"recipe {stem}: extends is {name!r}, expected the name of a recipe")
        below = catalogue.table("recipes", "recipe", name)
        if below.resolve() in seen:
            raise UsageError(f"recipe {path.stem}: it extends itself by way of {name}; extend another")
    return layers


def _joined(layers: Sequence[_Layer], dataset: str) -> dict[str, Any]:
    """The recipes on top of each other, then their tables for a dataset.

    What stands at the top of one that names this dataset as its own is meant for it, and counts as its table does.
    """
    values: dict[str, Any] = {}
    for layer in layers:
        values = override(values, layer.values)
    own = _own(layers, dataset)
    for count, layer in enumerate(layers, 1):
        if count > own:
            values = override(values, layer.values)
        for table in layer.tables(dataset):
            meant = values if count == len(layers) else _joined(layers[:count], dataset)
            values = override(values, _fitting(table, meant, values))
    return values


def _own(layers: Sequence[_Layer], dataset: str) -> int:
    """How many layers lie below those that name the dataset as their own, or extend one that does; all if none does."""
    below = len(layers)
    for count, layer in reversed(list(enumerate(layers))):
        name = layer.values.get("dataset")
        if name is not None and catalogue.spelt(str(name)) != catalogue.spelt(dataset):
            break
        if name is not None:
            below = count
    return below


def _fitting(table: Mapping[str, Any], meant: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A dataset's table without the config of a network that a recipe above has put another in the place of."""
    kept = dict(table)
    for player in PLAYERS:
        said = kept.get(player)
        if isinstance(said, dict) and "network" not in said and _network(meant, player) != _network(values, player):
            kept[player] = {key: value for key, value in said.items() if key != "config"}
    return kept


def _check_dataset(name: str, where: str) -> None:
    """Refuse a name that no dataset has; `where` it stands."""
    from reference_models.training.image_folders import NAME

    try:
        if name != NAME:
            gandiag.load_dataset(name, split="")
    except UnknownNameError as error:
        raise UsageError(f"{where}: {error}; correct the name of the table") from error
    except GandiagError:
        pass  # it exists, and is not opened: no dataset has a split of that name


def _ill(values: Mapping[str, Any], fault: Path) -> dict[str, Any]:
    """The values of a recipe with a fault.

    Raises:
        UsageError: the fault makes no sense in such a recipe.
    """
    name, illness = f"fault {fault.stem}", read_toml(fault)
    about = Table({key: illness.pop(key) for key in ABOUT if key in illness}, name)
    networks = about.table("networks").plain()
    if about.flag("noise_only", False) and values.get("task"):
        raise UsageError(f"{name} is for generators of noise, and this recipe's takes images; choose another of them")
    if about.flag("no_penalties", False):
        values = {**values, "penalties": {}}
    values = override(values, illness)
    network = _network(values, "discriminator")
    if about.flag("networks_only", False) and network not in networks:
        message = f"{name} is for the discriminators {', '.join(networks)}, and this recipe's is {network}"
        raise UsageError(f"{message}; choose another fault or recipe")
    return override(values, networks.get(network, {}))


def _network(values: Mapping[str, Any], player: str) -> str:
    table = values.get(player)
    return str(table.get("network", "")) if isinstance(table, dict) else ""


def _parsed(line: str) -> dict[str, Any]:
    key, equals, _ = line.partition("=")
    try:
        values = parse_toml(line) if equals else {}
    except ValueError:
        try:
            # A bare word is a text, so that a shell needs no second quotes.
            values = parse_toml(f"{key}= {json.dumps(line.partition('=')[2].strip())}")
        except ValueError:
            values = {}
    message = f"--set {shortened(line)} is no override of a recipe"
    if not values:
        raise UsageError(f"{message}; expected KEY=VALUE, such as steps=500 or techniques.packing.samples=2")
    if "dataset" in values:
        raise UsageError(f"{message}: it decides which overrides there are; give --dataset in its place")
    if {"datasets", "extends"} & values.keys():
        raise UsageError(f"{message}; write a recipe file of your own, and give it by --recipe FILE")
    return values


def _recipe(name: str, table: Table) -> Recipe:
    task = _task(table.table("task"))
    noisy = task is None or bool(table.table("latent").plain())
    recipe = Recipe(
        name=name,
        summary=table.text("summary"),
        dataset=table.text("dataset"),
        loss=table.text("loss"),
        batch_size=table.whole("batch_size", least=2, most=MOST_SAMPLES),
        steps=table.whole("steps"),
        ema=table.number("ema", 0.999, high=0.999999),
        decay_from=table.number("decay_from", 1.0, high=1.0),
        save_every=table.whole("save_every", 1000),
        preview_every=table.whole("preview_every", 500),
        latent=_latent(table.table("latent")) if noisy else None,
        generator=_player(table.table("generator")),
        discriminator=_player(table.table("discriminator")),
        penalties=_penalties(table.table("penalties")),
        techniques=_techniques(table.table("techniques")),
        samples=table.whole("samples", 0, least=0),
        head_start=table.whole("head_start", 0, least=0),
        simultaneous=table.flag("simultaneous", False),
        joint_batches=table.flag("joint_batches", False),
        task=task,
    )
    table.close()
    if recipe.discriminator.conditional and not recipe.generator.conditional:
        message = f"{table.where}: the discriminator is conditional and the generator is not"
        raise UsageError(f"{message}: it would judge fakes by labels that they were not made for; set both, or neither")
    return recipe


def _task(table: Table) -> Choice | None:
    config = table.plain()
    if not config:
        return None
    name = table.text("name")
    return Choice(name, {key: value for key, value in config.items() if key != "name"})


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
        conditional=table.flag("conditional", False),
    )
    table.close()
    return player


def _optimizer(table: Table) -> Optimizer:
    kind, momentum = table.choice("kind", OPTIMIZERS, "adam"), table.number("momentum", 0.0, high=0.9999)
    if kind == "adam" and momentum:
        message = f"{table.where}: momentum is {momentum:g}, and adam has none of that name"
        raise UsageError(f"{message}; set the first of its betas, or kind to rmsprop or sgd")
    optimizer = Optimizer(
        learning_rate=table.number("learning_rate"),
        betas=table.pair("betas", (0.9, 0.999)),
        kind=kind,
        momentum=momentum,
    )
    table.close()
    return optimizer


def _penalties(table: Table) -> tuple[Penalty, ...]:
    penalties = []
    for name, values in table.tables().items():
        penalty = Penalty(name, values.number("weight"), values.whole("interval", 1))
        values.close()
        if penalty.weight > 0:
            penalties.append(penalty)
        else:
            catalogue.find("penalties", "penalty", name)  # a misspelt one would stay on
    return tuple(penalties)


def _techniques(table: Table) -> tuple[Choice, ...]:
    choices = []
    for name, values in table.tables().items():
        enabled, config = values.flag("enabled", True), values.plain()
        config.pop("enabled", None)
        if enabled:
            choices.append(Choice(name, config))
        else:
            catalogue.find("techniques", "technique", name)  # a misspelt one would stay on
    return tuple(choices)


def _summary(path: Path) -> str:
    return Table(read_toml(path), str(path)).text("summary")
