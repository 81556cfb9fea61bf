"""Finding things by name: one module of a package is one thing, and its stem is the name.

Names, aliases and summaries are read from the source text, so that listing them imports nothing heavy.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
import pkgutil
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar, cast

from gandiag.core.errors import InternalError, UnknownNameError

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """A registered name: what it is in one line, and `module:attribute` where it lives."""

    name: str
    aliases: tuple[str, ...]
    summary: str
    module: str
    attribute: str


class Registry(Generic[T]):
    """The things of one kind, from gandiag's own package and from entry points.

    An entry point that names an object (`package.module:object`) registers that object under the entry point's name.
    One that names a package registers every public module of it, the `attribute` of the module being the thing.

    Args:
        kind: what one thing is called in messages, such as `metric`.
        group: the entry-point group, such as `gandiag.metrics`.
        attribute: the module attribute that is the thing.
        package: gandiag's own package of such things, or None where there is none.
        separator: `_` or `-`, the one that names are written with; both are accepted.
    """

    def __init__(
        self, kind: str, group: str, attribute: str, *, package: str | None = None, separator: str = "_"
    ) -> None:
        self.kind = kind
        self.group = group
        self._attribute = attribute
        self._package = package
        self._separator = separator

    def entries(self) -> list[Entry]:
        """Every registered thing, by name."""
        return [self._entries[name] for name in sorted(self._entries)]

    def names(self) -> list[str]:
        """Every registered name, sorted."""
        return sorted(self._entries)

    def resolve(self, name: str) -> str:
        """The registered name for a name or an alias.

        Raises:
            UnknownNameError: nothing is registered under it.
        """
        wanted = self._written(name)
        for entry in self._entries.values():
            if wanted == entry.name or wanted in (self._written(alias) for alias in entry.aliases):
                return entry.name
        aliases = (alias for entry in self._entries.values() for alias in entry.aliases)
        raise UnknownNameError(self.kind, name, {*self._entries, *aliases})

    def load(self, name: str) -> T:
        """The thing itself; this imports its module."""
        entry = self._entries[self.resolve(name)]
        thing: object = importlib.import_module(entry.module)
        for part in entry.attribute.split("."):
            thing = getattr(thing, part)
        return cast(T, thing)

    def _written(self, name: str) -> str:
        return name.lower().replace("-", "_").replace("_", self._separator)

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        found = self._modules(self._package) if self._package else []
        for point in importlib.metadata.entry_points(group=self.group):
            if point.attr:
                summary, aliases = _described(point.module)
                found.append(Entry(self._written(point.name), aliases, summary, point.module, point.attr))
            else:
                found.extend(self._modules(point.module))
        entries: dict[str, Entry] = {}
        owners: dict[str, Entry] = {}
        for entry in found:
            for name in (entry.name, *map(self._written, entry.aliases)):
                other = owners.setdefault(name, entry)
                if (other.module, other.attribute) != (entry.module, entry.attribute):
                    message = f"two {self.kind}s are called {name!r}: in {other.module} and in {entry.module}"
                    raise InternalError(message)
            entries[entry.name] = entry
        return entries

    def _modules(self, package: str) -> list[Entry]:
        found = []
        try:
            path = importlib.import_module(package).__path__
        except Exception as error:  # a package of somebody else's may fail in any way
            warnings.warn(f"the {self.kind}s of {package} are left out: {error}", stacklevel=2)
            return []
        for module in pkgutil.iter_modules(path):
            if module.name.startswith("_"):
                continue
            name = f"{package}.{module.name}"
            summary, aliases = _described(name)
            found.append(Entry(self._written(module.name), aliases, summary, name, self._attribute))
        return found


def _described(module: str) -> tuple[str, tuple[str, ...]]:
    """First line of the docstring and the literal `ALIASES` of a module, without running it."""
    try:
        specification = importlib.util.find_spec(module)
    except (ImportError, AttributeError, ValueError):
        return "", ()
    if specification is None or not specification.origin or not specification.origin.endswith(".py"):
        return "", ()
    try:
        tree = ast.parse(Path(specification.origin).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return "", ()
    summary = (ast.get_docstring(tree) or "").partition("\n")[0]
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "ALIASES" for t in node.targets):
            return summary, tuple(ast.literal_eval(node.value))
    return summary, ()
