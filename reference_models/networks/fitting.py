"""Arguments of a network's `build`: what the data decide joins what the recipe says."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import nn

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
        UsageError: it should take labels and cannot, or is for images, and the samples are points.
    """
    wanted = inspect.signature(part.build).parameters
    if "channels" in wanted and len(shape) != 3:
        raise UsageError(f"the {what} is for images, and these samples are points; choose another network or --dataset")
    known: dict[str, Any] = {"latent_dim": latent_dim, "shape": list(shape), "channels": shape[0]}
    if num_classes is not None:
        if "num_classes" not in wanted:
            raise UsageError(f"the {what} takes no labels; choose another network, or leave `conditional` out")
        known["num_classes"] = num_classes
    if "input_shape" in wanted:
        raise UsageError(f"the {what} takes images, not noise; choose another network")
    return joined(part, what, known, config)


def joined(part: ModuleType, what: str, known: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments for `part.build`: of what is known, what it asks for, and the config.

    Raises:
        UnknownNameError: the network has no such argument.
        UsageError: it needs one that nobody knows.
    """
    wanted = inspect.signature(part.build).parameters
    decided = {name: value for name, value in known.items() if name in wanted}
    open_to = set(wanted) - set(decided) - {"num_classes"}
    for name in config:
        if name not in open_to:
            raise UnknownNameError(f"option of the {what}", name, open_to)
    missing = [name for name in open_to - set(config) if wanted[name].default is inspect.Parameter.empty]
    if missing:
        message = f"the {what} needs {', '.join(sorted(missing))}, which nothing here decides"
        raise UsageError(f"{message}; choose another network, or say it in its config")
    return {**decided, **config}


@torch.no_grad()
def check_batch(what: str, network: nn.Module, count: int, shape: Sequence[int], labelled: bool = False) -> None:
    """Refuse a network that cannot be trained on batches (count, *shape); it and the random state stay as they are.

    Args:
        what: to call it in the message.
        network: a new one.
        count: samples in a batch.
        shape: of one of them.
        labelled: whether it takes labels beside them.

    Raises:
        UsageError: the message says the shape, and what PyTorch says of it.
    """
    device = next(network.parameters()).device
    labels = (torch.zeros(count, dtype=torch.int64, device=device),) if labelled else ()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            copy.deepcopy(network).train()(torch.zeros(count, *shape, device=device), *labels)
        except (RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0][:200]
            size = " x ".join(str(length) for length in shape)
            message = f"the {what} cannot learn from batches of {count} samples of {size}: {reason}"
            raise UsageError(f"{message}; choose another network, config or batch_size") from error
