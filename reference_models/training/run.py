"""What a run is, with everything decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from reference_models.recipe import Recipe
from reference_models.training.data import Data
from reference_models.training.folder import Folder
from reference_models.training.options import Options


@dataclass(frozen=True)
class Run:
    """One run, with everything decided.

    Attributes:
        recipe: with its overrides.
        data: what to imitate.
        dataset: its registered name.
        steps: in all.
        seed: of all that is drawn.
        device: where the networks are.
        folder: where the results go.
        metadata: what the checkpoint says of its origin; plain values.
        options: what is done beside the training.
        held_out: other samples, for the scores of image-to-image models and for the monitor; None for none.
    """

    recipe: Recipe
    data: Data
    dataset: str
    steps: int
    seed: int
    device: torch.device
    folder: Folder
    metadata: Mapping[str, Any]
    options: Options = field(default_factory=Options)
    held_out: Data | None = None
