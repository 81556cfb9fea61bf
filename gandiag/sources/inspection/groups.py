"""Whose weights the tensors of a file seem to be, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from gandiag.core.errors import printable
from gandiag.core.pickles import TensorShape, tensors_of
from gandiag.sources.weight_names import is_averaged, is_generator, is_other, preference


def named_tensors(value: Any) -> dict[str, TensorShape]:
    """The tensors in the value of a pickle, by the keys that lead to them."""
    return {printable(".".join(path)): tensor for path, tensor in tensors_of(value)}


def groups_of(tensors: Mapping[str, TensorShape]) -> tuple[Mapping[str, Any], ...]:
    """The places of weights by their first names, as trainers nest them."""
    found: dict[str, list[TensorShape]] = {}
    for name, tensor in tensors.items():
        found.setdefault(_place(name), []).append(tensor)
    described = [
        {
            "name": name,
            "tensors": len(held),
            "parameters": sum(prod(tensor.shape) for tensor in held),
            "seems": _seems(name),
        }
        for name, held in found.items()
    ]
    return tuple(sorted(described, key=lambda group: preference(str(group["name"]))))


def _place(name: str) -> str:
    """The part of a name that says whose weight it is: `state_dict.generator` of `state_dict.generator.0.weight`."""
    parts = name.split(".")[:-1]
    kept = 0
    for index, part in enumerate(parts[:3]):
        if is_averaged(part) or is_generator(part) or is_other(part):
            return ".".join(parts[: index + 1])
        if part in ("state_dict", "model_state_dict", "model", "models", "module", "net", "network", "params"):
            kept = index + 1
    return ".".join(parts[:kept])


def _seems(name: str) -> str:
    if is_other(name) and not is_generator(name):
        return "no generator"
    if is_averaged(name):
        return "averaged weights"
    return "a generator" if is_generator(name) else "weights"


def suggested_latent(tensors: Mapping[str, TensorShape], group: str | None = None) -> tuple[int, ...] | None:
    """The latent that the first layer suggests: a matrix takes its width, a transposed convolution its depth."""
    for name, tensor in tensors.items():
        if group and not name.startswith(f"{group}."):
            continue
        if "emb" in name.lower() or len(tensor.shape) not in (2, 4) or not name.endswith("weight"):
            continue
        return (tensor.shape[1],) if len(tensor.shape) == 2 else (tensor.shape[0], 1, 1)
    return None
