"""Arguments of a network's `build`: what the data decide joins what the recipe says."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from gandiag import UnknownNameError, UsageError


def fitted(
    part: ModuleType,
    what: str,
    shape: tuple[int, ...],
    latent_dim: int,
    config: Mapping[str, Any],
    num_classes: int | None = None,
) -> dict[str, Any]:
    """All arguments for `part.build`; `latent_dim`, `shape`, `channels` and `num_classes` go to what asks for them.

    Raises:
        UnknownNameError: the network has no such argument.
        UsageError: it should take labels and cannot.
    """
    known: dict[str, Any] = {"latent_dim": latent_dim, "shape": list(shape), "channels": shape[0]}
    if num_classes is not None:
        if "num_classes" not in inspect.signature(part.build).parameters:
            raise UsageError(f"the {what} takes no labels; choose another network, or leave `conditional` out")
        known["num_classes"] = num_classes
    if "input_shape" in inspect.signature(part.build).parameters:
        raise UsageError(f"the {what} takes images, not noise; choose another network")
    return joined(part, what, known, config)


def joined(part: ModuleType, what: str, known: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments for `part.build`: of what is known, what it asks for, and the config.

    Raises:
        UnknownNameError: the network has no such argument.
    """
    wanted = inspect.signature(part.build).parameters
    decided = {name: value for name, value in known.items() if name in wanted}
    open_to = set(wanted) - set(decided) - {"num_classes"}
    for name in config:
        if name not in open_to:
            raise UnknownNameError(f"option of the {what}", name, open_to)
    return {**decided, **config}
