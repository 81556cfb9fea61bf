"""The state of a run: all that changes from step to step."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gandiag import InputError
from reference_models.recipe import Optimizer
from reference_models.training.files import written_whole

FORMAT = "reference_models.state/1"
DAMAGE = (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, pickle.PickleError)


@dataclass
class State:
    """Both players, the averaged generator, the optimisers' moments, and how far the run is."""

    generator: nn.Module
    discriminator: nn.Module
    generator_ema: nn.Module
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
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


def new_state(generator: nn.Module, discriminator: nn.Module, one: Optimizer, other: Optimizer) -> State:
    """The state before the first step; `one` is the generator's optimiser and `other` the discriminator's."""
    average = copy.deepcopy(generator).eval().requires_grad_(False)
    return State(generator, discriminator, average, _adam(generator, one), _adam(discriminator, other))


def save_state(path: Path, state: State) -> None:
    """Write the state whole or not at all.

    Raises:
        InputError: the folder cannot be written to.
    """
    content: dict[str, Any] = {name: part.state_dict() for name, part in state.parts().items()}
    content |= {"format": FORMAT, "step": state.step, "seconds": state.seconds}
    with written_whole(path) as temporary:
        torch.save(content, temporary)


def load_state(path: Path, state: State) -> None:
    """Put what was saved into a state of the same networks.

    Raises:
        InputError: the file is damaged, or holds something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"it is not a {FORMAT} file")
        for name, part in state.parts().items():
            part.load_state_dict(content[name])
        state.step, state.seconds = int(content["step"]), float(content["seconds"])
    except (
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        pickle.PickleError,
    ) as error:
        reason = str(error).partition("\n")[0][:200]
        message = f"{path} cannot be read: {reason}; start again in another --out, or put back a copy of the file"
        raise InputError(message) from error


def _adam(network: nn.Module, settings: Optimizer) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), lr=settings.learning_rate, betas=settings.betas)
