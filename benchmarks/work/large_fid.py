"""A FID of 200,000 samples in the memory of 20,000."""

from __future__ import annotations

from gandiag.evaluation.extract import Task, extract
from gandiag.metrics import fid as gandiag_fid
from gandiag.statistics.feature_bank import FeatureBank
from work.data import WIDTH
from work.images import NoiseImages, Projection
from work.model import Case, Finding, Samples, Side, Work

FLAT = 1.05
PIXELS = 3 * 32 * 32


def fid(quick: bool) -> Work:
    """Both sides made image by image, seen by a cheap extractor, through gandiag's own pass."""
    width, counts = (64, (10_000, 30_000)) if quick else (WIDTH, (20_000, 200_000))
    return Work(
        name="fid-200k",
        title="FID through the engine in flat memory",
        cases=tuple(Case(f"d={width:,}, N={count:,}", _maker(count, width)) for count in counts),
        sides=(Side("gandiag", _engine_fid),),
        fresh=True,
        small=lambda: (600, width),
        repeats=1,
        heavy=True,
        study=_flat,
    )


def _maker(count: int, width: int):  # noqa: ANN202 - a function of nothing
    return lambda: (count, width)


def _engine_fid(data: tuple[int, int]) -> dict[str, float]:
    real, fake = (_bank(seed, *data) for seed in (1, 2))
    found = gandiag_fid.fid(real=real, fake=fake)
    return {name: float(score.value) for name, score in found.items() if score.value is not None}


def _bank(seed: int, count: int, width: int) -> FeatureBank:
    task = Task(Projection(PIXELS, width), {"moments": count})
    return extract(NoiseImages(count, seed), {"projection": task}, count)["projection"]


def _flat(samples: Samples) -> list[Finding]:
    few, many = (sides_of["gandiag"][0].peak or 0 for sides_of in samples.values())
    sizes = [case.partition("N=")[2] for case in samples]
    name = f"peak memory of the whole process at {sizes[1]} over that at {sizes[0]} samples"
    return [Finding(name, f"{many / few:.3f}", f"at most {FLAT}", many <= FLAT * few)]
