"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_PATH = click.Path(path_type=Path)


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


def extractor_options(command: Command) -> Command:
    """`--extractor`, `--weights`, `--preprocessing` and `--compile`."""
    text = "Compile the extractor's network: slower to start, faster after."
    command = click.option("--compile", "compiled", is_flag=True, help=text)(command)
    text = "tf1, pytorch-fid, clean or antialias, in place of the extractor's own."
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
