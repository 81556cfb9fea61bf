"""A small recipe, so that a whole run takes a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_runs import Pictures

from gandiag import Latent
from reference_models.recipe import Optimizer, Penalty, Player, Recipe
from reference_models.training.folder import Folder
from reference_models.training.loop import Run


@pytest.fixture
def recipe() -> Recipe:
    """Batch norm on both sides, lazy penalties and a falling learning rate: all that a resumed run must carry over."""
    optimizer = Optimizer(learning_rate=1e-3, betas=(0.5, 0.999))
    return Recipe(
        name="tiny",
        summary="tiny",
        dataset="pictures",
        loss="relativistic",
        batch_size=16,
        steps=11,
        ema=0.9,
        decay_from=0.5,
        save_every=4,
        preview_every=100,
        latent=Latent(4),
        generator=Player("dcgan", {"width": 4}, 1, optimizer),
        discriminator=Player("dcgan", {"width": 2, "norm": "batch"}, 1, optimizer),
        penalties=(Penalty("r1", 0.1, 4), Penalty("r2", 0.1, 3)),
    )


@pytest.fixture
def make_run(recipe: Recipe, tmp_path: Path) -> Callable[..., Run]:
    def make(out: str, data: Pictures | None = None, steps: int = 11, **changes: object) -> Run:
        changed = replace(recipe, **changes)
        data = data or Pictures(40)  # two batches an epoch and eight images left out
        return Run(changed, data, "pictures", steps, 0, torch.device("cpu"), Folder(tmp_path / out), {"seed": 0})

    return make
