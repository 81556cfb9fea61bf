"""Options that several commands share."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from gandiag.core.errors import shown
from gandiag.core.generator_options import LABEL_FORMATS, GeneratorOptions, read_config
from gandiag.core.protocols import Precision

Command = TypeVar("Command", bound=Callable[..., Any])

_PATH = click.Path(path_type=Path)
COUNT = click.IntRange(1, 10**9)  # of samples or steps


def debug_option(command: Command) -> Command:
    """`--debug`, which `main` looks for in the command line itself."""
    return click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")(command)


def seed_option(command: Command) -> Command:
    """`--seed`."""
    return click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything that is drawn.")(
        command
    )


def device_option(command: Command) -> Command:
    """`--device`."""
    text = "auto, cpu, cuda or cuda:INDEX."
    return click.option("--device", default="auto", show_default=True, metavar="DEVICE", help=text)(command)


def data_root_option(command: Command) -> Command:
    """`--data-root`."""
    text = "Folder with published datasets (MNIST, CIFAR-10, ...)."
    return click.option("--data-root", type=_PATH, envvar="GANDIAG_DATA_ROOT", show_envvar=True, help=text)(command)


def data_options(command: Command) -> Command:
    """`--data-root` and `--download`."""
    text = "Fetch a missing published dataset into --data-root."
    return data_root_option(click.option("--download", is_flag=True, help=text)(command))


class Numbers(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic in new versions of click
    """Numbers by comma, such as 100,1,1."""

    name = "numbers"

    def __init__(self, kind: type[int] | type[float], example: str) -> None:
        self._kind, self._example = kind, example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """The numbers in a text."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(self._kind(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{shown(value)} is not of the form {self._example}", param, ctx)


def generator_options(command: Command) -> Command:
    """What a file does not say of its generator, as the one argument `generator`."""

    @functools.wraps(command)
    def with_generator(**given: Any) -> Any:
        names = [field.name for field in dataclasses.fields(GeneratorOptions)]
        said = {name: given.pop(f"generator_{name}") for name in names}
        config = said.pop("config")
        options = GeneratorOptions(**said, config=None if config is None else read_config(config))
        return command(**given, generator=options)

    sizes, limits = Numbers(int, "100 or 100,1,1"), Numbers(float, "-1,1")
    options: list[tuple[str, dict[str, Any]]] = [
        ("--generator", {"metavar": "NETWORK", "help": "Network of a state dict: a name, or package.module:factory."}),
        ("--generator-config", {"metavar": "JSON", "help": "Arguments of the factory: JSON, or a JSON or TOML file."}),
        ("--weights-key", {"metavar": "KEY", "help": "Where in the file the generator's weights are. Default: found."}),
        ("--latent", {"type": sizes, "metavar": "SHAPE", "help": "Shape of one latent: 100, or 100,1,1."}),
        ("--noise", {"metavar": "NAME", "help": "normal, uniform, sphere, or a file of latents. Default: normal."}),
        ("--truncation", {"type": float, "metavar": "PSI", "help": "Bound of normal latents; psi of a StyleGAN."}),
        ("--labels", {"metavar": "NAME", "help": "uniform, prior, a class, or a file of labels. Default: uniform."}),
        ("--classes", {"type": int, "metavar": "N", "help": "Number of classes of a conditional generator."}),
        ("--label-format", {"type": click.Choice(LABEL_FORMATS), "help": "How labels are given to it."}),
        ("--image-shape", {"type": Numbers(int, "3,32,32"), "metavar": "C,H,W", "help": "Shape of flat outputs."}),
        ("--image-range", {"type": limits, "metavar": "LOW,HIGH", "help": "Values of black and white."}),
        ("--input-range", {"type": limits, "metavar": "LOW,HIGH", "help": "The same of the images that it takes."}),
        ("--unsafe-pickle", {"is_flag": True, "help": "Run the code in a pickle, as StyleGAN's need. Trust it first."}),
    ]
    wrapped = cast(Command, with_generator)
    for name, settings in reversed(options):
        own = "network" if name == "--generator" else name.removeprefix("--generator-").removeprefix("--")
        wrapped = click.option(name, f"generator_{own.replace('-', '_')}", **settings)(wrapped)
    return wrapped


def extractor_options(command: Command) -> Command:
    """`--extractor`, `--weights`, `--preprocessing` and `--compile`."""
    text = "Compile the extractor's network: slower to start, faster after."
    command = click.option("--compile", "compiled", is_flag=True, help=text)(command)
    text = "tf1, pytorch-fid, clean, antialias or bicubic, in place of the extractor's own."
    command = click.option("--preprocessing", metavar="NAME", help=text)(command)
    command = click.option("--weights", type=_PATH, help="Weights file for the extractor.")(command)
    text = "Extractor in place of the reference's own: a name, or a TorchScript or torch.export file."
    return click.option("--extractor", metavar="NAME", help=text)(command)


def precision_option(command: Command) -> Command:
    """`--precision`."""
    choice = click.Choice(["fp32", "tf32", "bf16"])
    return click.option("--precision", type=choice, default="fp32", show_default=True, help="Arithmetic.")(command)


def cache_options(command: Command) -> Command:
    """`--cache` and `--no-cache`."""
    command = click.option("--no-cache", is_flag=True, help="Keep no features from run to run.")(command)
    text = "Folder in which features are kept. Default: $GANDIAG_CACHE, or the user's cache folder."
    return click.option("--cache", type=_PATH, help=text)(command)


def inputs_option(command: Command) -> Command:
    """`--inputs`."""
    text = "Images that an image-to-image model is fed in place of noise."
    return click.option("--inputs", metavar="REF", help=text)(command)


@dataclass(frozen=True)
class Scoring:
    """What every command that scores is told alike; `gandiag.score` explains it."""

    held_out: str | None
    inputs: str | None
    targets: str | None
    cycle: str | None
    seed: int
    like: str | None
    generator: GeneratorOptions
    extractor: str | None
    weights: Path | None
    preprocessing: str | None
    compiled: bool
    device: str
    batch_size: int | None
    precision: Precision
    data_root: Path | None
    download: bool
    cache: Path | None
    no_cache: bool

    @property
    def kept(self) -> Path | bool:
        """The folder in which features are kept, or whether the user's own is."""
        if self.cache is not None and self.no_cache:
            raise click.UsageError("--cache names a folder and --no-cache keeps nothing: give one of them")
        return not self.no_cache if self.cache is None else self.cache


def scoring_options(command: Command) -> Command:
    """How to score, as the one argument `scoring`; metrics, reference and samples are each command's own."""

    @functools.wraps(command)
    def with_scoring(**given: Any) -> Any:
        scoring = Scoring(**{field.name: given.pop(field.name) for field in dataclasses.fields(Scoring)})
        return command(**given, scoring=scoring)

    tool = "Follow a tool: torch-fidelity, pytorch-fid, clean-fid, torchmetrics, ..."
    size = "Samples at a time. Default: what suits the extractor."
    options: list[Callable[[Command], Command]] = [
        click.option("--held-out", metavar="REF", help="Other real samples. Default: the reference's other split."),
        inputs_option,
        click.option("--targets", metavar="REF", help="The image that is wanted for each input: for psnr and ssim."),
        click.option("--cycle", metavar="MODEL", help="The model that leads back to the inputs: for cycle_error."),
        seed_option,
        click.option("--like", metavar="TOOL", help=tool),
        generator_options,
        extractor_options,
        device_option,
        click.option("--batch-size", type=COUNT, help=size),
        precision_option,
        data_options,
        cache_options,
    ]
    wrapped = cast(Command, with_scoring)
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped
