"""What is said of a file that was inspected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from gandiag.core.errors import printable
from gandiag.core.pickles import TensorShape

SCHEMA = "gandiag.inspection/1"


LARGEST = 2**28  # bytes of a part that is read


@dataclass(frozen=True)
class Inspection:
    """What a file is.

    Attributes:
        path: of the file.
        format: in words.
        size: in bytes.
        tensors: those that it holds, by name.
        groups: the places of weights, the likeliest for a generator first: name, tensors, numbers, and what it seems.
        taken: the place that scoring would take, if a network fits it.
        inputs, outputs: of a program, where it says them: name, type and sizes, None for any.
        latent: shape of one latent, where the file says or suggests it.
        image: shape of an image, where the file says it.
        image_range: where the file says it.
        imports: what unpickling would import.
        runs: those of them that unpickling would run and that weights do not need.
        values: plain values beside the tensors, such as the step.
        notes: what else to know.
        command: that would score it, if any.
    """

    path: str
    format: str
    size: int
    tensors: Mapping[str, TensorShape] = field(default_factory=dict)
    groups: tuple[Mapping[str, Any], ...] = ()
    taken: str | None = None
    inputs: tuple[Mapping[str, Any], ...] = ()
    outputs: tuple[Mapping[str, Any], ...] = ()
    latent: tuple[int, ...] | None = None
    image: tuple[int, ...] | None = None
    image_range: tuple[float, float] | None = None
    imports: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    command: str | None = None

    @property
    def parameters(self) -> int:
        """How many numbers the tensors hold."""
        return sum(prod(tensor.shape) for tensor in self.tensors.values())

    def to_json(self) -> str:
        """One strict JSON document."""
        document = {"schema": SCHEMA, **asdict(self), "parameters": self.parameters}
        return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=True) + "\n"


def value_at(value: Any, *keys: Any) -> Any:
    """What lies behind some keys of nested mappings; None where there is nothing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def is_plain(value: Any) -> bool:
    """Whether a value can stand in JSON as it is."""
    if isinstance(value, int | float):
        return abs(value) < 1e300
    return value is None or isinstance(value, str)


def shortened(value: Any) -> Any:
    """Plain values for JSON, of bounded length."""
    if isinstance(value, dict):
        return {printable(str(key))[:200]: shortened(inner) for key, inner in list(value.items())[:50]}
    if isinstance(value, list | tuple):
        return [shortened(inner) for inner in value[:50]]
    if isinstance(value, str):
        return printable(value)[:500]
    return value if is_plain(value) else printable(str(type(value).__name__))


def quoted(path: Path) -> str:
    """A path as a shell takes it, with no control characters."""
    import shlex

    return shlex.quote(printable(str(path)))


def score_command(path: Path, *more: str) -> str:
    """The command line that scores a file."""
    return " ".join(["gandiag score", quoted(path), *more, "--against REF"])
