"""The state of a run: all that changes from step to step."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gandiag import InputError
from reference_models.recipe import Optimizer
from reference_models.techniques._technique import Technique
from reference_models.training.files import written_whole

FORMAT = "reference_models.state/2"
DAMAGE = (OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, pickle.PickleError)


@dataclass
class State:
    """Both players, the averaged generator, the optimisers' moments, and how far the run is."""

    generator: nn.Module
    discriminator: nn.Module
    generator_ema: nn.Module
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    techniques: Mapping[str, Technique] = field(default_factory=dict)
    step: int = 0
    seconds: float = 0.0

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """What is saved by its `state_dict`, by name."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_ema": self.generator_ema,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

    def remembered(self) -> dict[str, dict[str, Tensor]]:
        """What the techniques of this process remember, by name, on the CPU."""
        found = {name: technique.state() for name, technique in self.techniques.items()}
        return {name: {key: value.cpu() for key, value in values.items()} for name, values in found.items()}


def new_state(
    generator: nn.Module,
    discriminator: nn.Module,
    one: Optimizer,
    other: Optimizer,
    techniques: Mapping[str, Technique] | None = None,
) -> State:
    """The state before the first step; `one` is the generator's optimiser and `other` the discriminator's."""
    techniques = techniques or {}
    average = copy.deepcopy(generator).eval().requires_grad_(False)
    more = [parameter for each in techniques.values() for parameter in each.generator_parameters()]
    ours, theirs = _optimizer([*generator.parameters(), *more], one), _optimizer(discriminator.parameters(), other)
    return State(generator, discriminator, average, ours, theirs, techniques)


def save_state(path: Path, state: State, remembered: Sequence[Mapping[str, Any]]) -> None:
    """Write the state whole or not at all.

    Args:
        path: of the file.
        state: of the process that leads, which is that of all but for what techniques remember.
        remembered: by the techniques of each process, by rank.

    Raises:
        InputError: the folder cannot be written to.
    """
    content: dict[str, Any] = {name: part.state_dict() for name, part in state.parts().items()}
    content["techniques"], *content["others"] = remembered
    content |= {"format": FORMAT, "step": state.step, "seconds": state.seconds}
    file = io.BytesIO()  # as PyTorch, when it writes a file itself, hides what the system says of a full disk
    torch.save(content, file)
    with written_whole(path) as temporary:
        temporary.write_bytes(file.getbuffer())


def load_state(path: Path, state: State, rank: int = 0) -> None:
    """Put what was saved into the state, of the same networks, of the process of that rank.

    Raises:
        InputError: the file is damaged, or holds something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"it is not a {FORMAT} file")
        for name, part in state.parts().items():
            part.load_state_dict(content[name])
        for name, technique in state.techniques.items():
            remembered = content["others"][rank - 1] if rank else content["techniques"]
            technique.load(remembered[name])
        state.step, state.seconds = int(content["step"]), float(content["seconds"])
    except DAMAGE as error:
        reason = str(error).partition("\n")[0][:200]
        message = f"{path} cannot be read: {reason}; start again in another --out, or put back a copy of the file"
        raise InputError(message) from error


def _optimizer(parameters: Iterable[nn.Parameter], settings: Optimizer) -> torch.optim.Optimizer:
    if settings.kind == "sgd":
        return torch.optim.SGD(parameters, lr=settings.learning_rate, momentum=settings.momentum)
    if settings.kind == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=settings.learning_rate, momentum=settings.momentum)
    # A small network's step is mostly calls of one operation after another: fused, Adam takes one for all weights.
    return torch.optim.Adam(parameters, lr=settings.learning_rate, betas=settings.betas, fused=True)
