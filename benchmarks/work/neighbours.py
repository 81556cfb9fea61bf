"""Precision, recall, density and coverage: time, and memory above that of the features."""

from __future__ import annotations

import contextlib
import io

from torch import Tensor

from gandiag.metrics.precision_recall import HALVES, precision_recall
from work.data import WIDTH, sides
from work.model import Case, Pair, Side, Work, largest_difference

K = 5


def prdc(quick: bool) -> Work:
    """With and without error bars against the tool of the paper's authors, k = 5 for all four scores."""
    width, count = (64, 1000) if quick else (WIDTH, 8000)
    return Work(
        name="prdc",
        title="precision, recall, density, coverage",
        cases=(Case(f"d={width:,}, N={count:,}", lambda: sides(count, width=width)),),
        sides=(
            Side("gandiag", plain),
            Side(f"gandiag, error bars of {HALVES} halves", with_error_bars),
            Side("prdc", peer, needs=("prdc",)),
        ),
        # Distances of the peer are rounded otherwise: of the pairs at the very edge of a ball a few fall otherwise.
        pairs=(
            Pair("gandiag", "prdc", faster=2.5, smaller=2, tolerance=2e-3),
            Pair(f"gandiag, error bars of {HALVES} halves", "prdc", tolerance=2e-3),
        ),
        difference=largest_difference,
        fresh=True,
        small=lambda: sides(200, width=width),
        repeats=3,
    )


def plain(data: tuple[Tensor, Tensor]) -> dict[str, float]:
    """The four scores without error bars."""
    return _scores(data, 0)


def with_error_bars(data: tuple[Tensor, Tensor]) -> dict[str, float]:
    """The four scores with their error bars."""
    return _scores(data, HALVES)


def peer(data: tuple[Tensor, Tensor]) -> dict[str, float]:
    """Those of prdc."""
    from prdc import compute_prdc

    with contextlib.redirect_stdout(io.StringIO()):
        found = compute_prdc(data[0].numpy(), data[1].numpy(), nearest_k=K)
    return {name: float(value) for name, value in found.items()}


def _scores(data: tuple[Tensor, Tensor], halves: int) -> dict[str, float]:
    found = precision_recall(real=data[0], fake=data[1], k_precision=K, k_coverage=K, halves=halves)
    return {name: float(score.value) for name, score in found.items() if score.value is not None}
