"""gandiag's monitor on a run; it looks on and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gandiag
from reference_models.training.state import State


@contextmanager
def watching(
    state: State, players: tuple[Any, Any], held_out: tuple[Any, ...] | None, folder: Path | None
) -> Iterator[None]:
    """Watch both players, with the run log in the run folder; None for nobody who watches.

    The log of a resumed run goes on. `held_out` are the discriminator's arguments for real samples that are not trained
    on, if there are any.
    """
    if folder is None:
        yield
        return
    with gandiag.watch(
        *players,
        state.generator_optimizer,
        state.discriminator_optimizer,
        run=folder,
        resume=state.step if state.step else False,
        held_out=held_out,
        score=_logits,
    ):
        yield


def _logits(said: Any) -> Any:
    """The logits of a discriminator that gives its features too."""
    return said[0] if isinstance(said, tuple) else said
