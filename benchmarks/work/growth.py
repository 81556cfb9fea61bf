"""Time and memory with more and more samples, each in a fresh process."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gandiag.statistics.frechet import frechet_distance_of_grouped
from gandiag.statistics.grouped_moments import GroupedMoments, MomentsAccumulator
from work import neighbours as balls
from work.data import BLOCK, WIDTH, feature_block, sides
from work.model import Case, Finding, Pair, Samples, Side, Work, largest_difference

SIZES = (1000, 5000, 20_000)
QUICK_SIZES = (1000, 2000)


def neighbours(quick: bool) -> Work:
    """The four neighbour scores without error bars; the peer's memory grows with the square of N."""
    width = 64 if quick else WIDTH
    return Work(
        name="growth-neighbours",
        title="growth of the neighbour scores",
        cases=tuple(Case(f"d={width:,}, N={count:,}", _pair_maker(count, width)) for count in _sizes(quick)),
        sides=(Side("gandiag", balls.plain), Side("prdc", balls.peer, needs=("prdc",))),
        pairs=(Pair("gandiag", "prdc", tolerance=5e-3),),
        difference=largest_difference,
        fresh=True,
        small=lambda: sides(200, width=width),
        repeats=1,
        study=lambda samples: _growth(samples, _sizes(quick)),
    )


def fid(quick: bool) -> Work:
    """A Frechet distance of features that come block by block, as from an extractor; the peer keeps them all."""
    width = 64 if quick else WIDTH
    return Work(
        name="growth-fid",
        title="growth of the Frechet distance of streamed features",
        cases=tuple(Case(f"d={width:,}, N={count:,}", _stream_maker(count, width)) for count in _sizes(quick)),
        sides=(
            Side("gandiag", _streamed),
            Side("torch-fidelity", _kept, needs=("torch_fidelity",)),
        ),
        # The peer's mean is in float32, and below full rank its distance is off.
        pairs=(Pair("gandiag", "torch-fidelity", tolerance=1e-4),),
        fresh=True,
        small=lambda: (300, width),
        repeats=1,
        study=lambda samples: _growth(samples, _sizes(quick)),
    )


def _sizes(quick: bool) -> tuple[int, ...]:
    return QUICK_SIZES if quick else SIZES


def _pair_maker(count: int, width: int):  # noqa: ANN202 - a function of nothing
    return lambda: sides(count, width=width)


def _stream_maker(count: int, width: int):  # noqa: ANN202 - a function of nothing
    return lambda: (count, width)


def _block(seed: int, start: int, stop: int, width: int) -> Tensor:
    return feature_block(torch.empty(stop - start, width), seed, start // BLOCK, 1.0 if seed == 1 else 1.1)


def _streamed(data: tuple[int, int]) -> float:
    real, fake = (_accumulated(seed, *data) for seed in (1, 2))
    return frechet_distance_of_grouped(real=real, fake=fake).distance


def _accumulated(seed: int, count: int, width: int) -> GroupedMoments:
    accumulator = MomentsAccumulator(count)
    for start in range(0, count, BLOCK):
        accumulator.add(_block(seed, start, min(start + BLOCK, count), width), start)
    return accumulator.result()


def _kept(data: tuple[int, int]) -> float:
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    count, width = data
    given = []
    for seed in (1, 2):
        blocks = [_block(seed, start, min(start + BLOCK, count), width) for start in range(0, count, BLOCK)]
        given.append(fid_features_to_statistics(torch.cat(blocks)))
        del blocks
    return float(fid_statistics_to_metric(*given, verbose=False)[KEY_METRIC_FID])


def _growth(samples: Samples, sizes: tuple[int, ...]) -> list[Finding]:
    """By which power of N time and memory grow between the two largest sizes."""
    (_, few), (_, many) = list(samples.items())[-2:]
    ratio = math.log(sizes[-1] / sizes[-2])
    found = []
    for side in many:
        one, other = few[side][0], many[side][0]
        time = math.log(other.seconds / one.seconds) / ratio
        memory = math.log(max(other.extra or 1, 1) / max(one.extra or 1, 1)) / ratio
        between = f"{sizes[-2]:,} to {sizes[-1]:,}"
        found.append(Finding(f"{side}: growth from N = {between}", f"time N^{time:.2f}, memory N^{memory:.2f}"))
    return found
