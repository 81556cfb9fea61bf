"""Which scores and extractors there are, read from the metrics' source text: nothing heavy is loaded."""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path

from gandiag.core.registry import Entry
from gandiag.extractors import EXTRACTORS, FILE_SUFFIXES
from gandiag.metrics import METRICS


@cache
def metric_of_score() -> dict[str, str]:
    """Score name to the name of the metric that yields it, of all registered metrics."""
    return {score: entry.name for entry in METRICS.entries() for score in _scores(entry)}


def alias_of(name: str) -> str | None:
    """The metric that `name` is a name or an alias of, or None."""
    for entry in METRICS.entries():
        if name in (entry.name, *entry.aliases):
            return entry.name
    return None


def extractor_key(name: str) -> str:
    """What scores call an extractor: its registered name; `file:STEM` for a file.

    Raises:
        UnknownNameError: it is neither registered nor the path of such a file.
    """
    if name.startswith("file:"):
        return name
    if name.endswith(FILE_SUFFIXES):
        return f"file:{Path(name).stem}"
    return EXTRACTORS.resolve(name)


def _scores(entry: Entry) -> list[str]:
    """The scores that a metric's module declares in literals; of one that is loaded, where they are not literal."""
    found = _declared(entry.module)
    return list(METRICS.load(entry.name).scores) if found is None else found


def _declared(module: str) -> list[str] | None:
    """Keys of the module's `SCORES`, else of the `scores=` of its `Metric(...)`; None where neither is literal."""
    specification = importlib.util.find_spec(module)
    if specification is None or not specification.origin or not specification.origin.endswith(".py"):
        return None
    tree = ast.parse(Path(specification.origin).read_text(encoding="utf-8"))
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "SCORES":
            return _keys(getattr(node, "value", None))
    for call in ast.walk(tree):
        if isinstance(call, ast.keyword) and call.arg == "scores":
            return _keys(call.value)
    return None


def _keys(node: ast.expr | None) -> list[str] | None:
    if not isinstance(node, ast.Dict):
        return None
    names = [key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return names if len(names) == len(node.keys) else None
