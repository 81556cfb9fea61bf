"""The network that a state dict belongs to: built by a registered factory, or by the user's own code."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gandiag.core.errors import GandiagError, UnknownNameError, UsageError, shown
from gandiag.sources import GENERATORS


def build_network(network: str, config: Mapping[str, Any] | None) -> nn.Module:
    """The network of a factory, in evaluation mode, with weights that mean nothing yet.

    Args:
        network: a registered name, or `package.module:factory`. The module is imported, from the current folder too,
            which runs its code: naming it is the user's consent.
        config: keyword arguments of the factory.

    Raises:
        UsageError: there is no such factory, it cannot be imported, or does not take the config.
    """
    factory = _imported(network) if ":" in network else _registered(network)
    config = dict(config or {})
    try:
        inspect.signature(factory).bind(**config)
    except TypeError as error:
        raise UsageError(
            f"--generator {shown(network)} takes {_signature(factory)}: {error}; see --generator-config"
        ) from error
    except ValueError:  # a callable without a signature
        pass
    try:
        with torch.random.fork_rng([]), contextlib.redirect_stdout(sys.stderr):
            built = factory(**config)
    except GandiagError:
        raise
    except (Exception, SystemExit) as error:  # the user's code may fail in any way
        message = f"--generator {shown(network)} fails with the config {shown(config)}"
        raise UsageError(f"{message}: {first_line(error)}") from error
    if not isinstance(built, nn.Module):
        found = type(built).__name__
        raise UsageError(
            f"--generator {shown(network)} gives {found}, expected a torch.nn.Module; name its factory or class"
        )
    if not built.state_dict():
        raise UsageError(f"--generator {shown(network)} gives a network without weights")
    return built.eval()


def _registered(name: str) -> Callable[..., Any]:
    try:
        return GENERATORS.load(name)
    except UnknownNameError as error:
        raise UsageError(f"--generator: {error}; or name your own as package.module:factory") from error


def _imported(network: str) -> Callable[..., Any]:
    module, _, attribute = network.partition(":")
    if not module or not attribute or module.endswith(".py"):
        raise UsageError(f"--generator is {shown(network)}, expected a name or package.module:factory")
    try:
        with current_folder(), contextlib.redirect_stdout(sys.stderr):  # what it prints is no data
            found: Any = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # the user's code may fail in any way
        message = f"--generator {shown(network)}: importing {shown(module)} fails: {first_line(error)}"
        raise UsageError(f"{message}; run gandiag in the folder of its code, or install the package") from error
    for part in attribute.split("."):
        known = [each for each in dir(found) if not each.startswith("_")]
        if not hasattr(found, part):
            raise UsageError(f"--generator: {UnknownNameError(f'name in {module}', part, known[:20])}")
        found = getattr(found, part)
    if not callable(found):
        raise UsageError(f"--generator {shown(network)} is {type(found).__name__}, expected a class or function")
    return found  # type: ignore[no-any-return]


@contextmanager
def current_folder() -> Iterator[None]:
    """Modules beside the user are found, as `python` itself would find them."""
    folder = str(Path.cwd())
    added = folder not in sys.path
    if added:
        sys.path.insert(0, folder)
    try:
        yield
    finally:
        if added and folder in sys.path:
            sys.path.remove(folder)


def _signature(factory: Callable[..., Any]) -> str:
    try:
        return str(inspect.signature(factory))[:200]
    except ValueError:
        return "other arguments"


def first_line(error: BaseException) -> str:
    """An error's kind and the first line of what it says."""
    text = str(error).strip().partition("\n")[0][:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
