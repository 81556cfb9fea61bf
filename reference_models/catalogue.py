"""Parts of the reference models by name: one file is one part, and its stem is its name."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from gandiag import UnknownNameError

HOME = Path(__file__).parent


def part(package: str, kind: str, name: str) -> ModuleType:
    """The module of one part, such as `part("losses", "loss", "relativistic")`.

    Raises:
        UnknownNameError: the package has no such part.
    """
    find(package, kind, name)
    return importlib.import_module(f"reference_models.{package}.{name}")


def find(package: str, kind: str, name: str) -> None:
    """Learn whether there is such a part, without importing it.

    Raises:
        UnknownNameError: the package has none.
    """
    folder = HOME.joinpath(*package.split("."))
    known = [module.name for module in pkgutil.iter_modules([str(folder)]) if not module.name.startswith("_")]
    if name not in known:
        raise UnknownNameError(kind, name, known)


def summaries(package: str) -> dict[str, str]:
    """Names of the parts of a package and the first lines of their docstrings, read without importing them."""
    files = sorted(HOME.joinpath(*package.split(".")).glob("[!_]*.py"))
    texts = {path.stem: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "" for path in files}
    return {name: text.partition("\n")[0] for name, text in texts.items()}


def tables(folder: str) -> dict[str, Path]:
    """The TOML files of a folder of this package, by stem; those that begin with `_` are only there to be extended."""
    return {path.stem: path for path in sorted((HOME / folder).glob("[!_]*.toml"))}


def table(folder: str, kind: str, name: str) -> Path:
    """One TOML file of a folder; `-` and `_` are the same in its name.

    Raises:
        UnknownNameError: the folder has no such file.
    """
    hidden = HOME / folder / f"{name}.toml"
    if name.startswith("_") and hidden.is_file():
        return hidden
    known = tables(folder)
    return known[resolve(kind, name, known)]


def resolve(kind: str, name: str, known: Iterable[str]) -> str:
    """The known name that `name` stands for, whichever of `-` and `_` it is written with.

    Raises:
        UnknownNameError: none does.
    """
    names = {spelt(entry): entry for entry in known}
    try:
        return names[spelt(name)]
    except KeyError:
        raise UnknownNameError(kind, name, names.values()) from None


def spelt(name: str) -> str:
    """A name as it is compared: `-` and `_` are the same, and so are capitals."""
    return name.lower().replace("-", "_")
