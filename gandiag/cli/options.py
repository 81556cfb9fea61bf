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


def data_options(command: Command) -> Command:
    """`--data-root` and `--download`."""
    text = "Fetch a missing published dataset into --data-root."
    command = click.option("--download", is_flag=True, help=text)(command)
    text = "Folder with published datasets (MNIST, CIFAR-10, ...)."
    return click.option("--data-root", type=_PATH, envvar="GANDIAG_DATA_ROOT", show_envvar=True, help=text)(command)
