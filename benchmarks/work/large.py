"""What no peer can do in this memory: 50,000 x 50,000 neighbours."""

from __future__ import annotations

from work.data import WIDTH, sides
from work.model import Case, Finding, Samples, Side, Work
from work.neighbours import plain

LIMIT = 2 * 10**9  # bytes of the whole process


def neighbours(quick: bool) -> Work:
    """Peak memory of the whole process, with the features in it."""
    width, count = (64, 4000) if quick else (WIDTH, 50_000)
    return Work(
        name="neighbours-50k",
        title="neighbour scores in little memory",
        cases=(Case(f"d={width:,}, N={count:,}", lambda: sides(count, width=width)),),
        sides=(Side("gandiag", plain),),
        fresh=True,
        small=lambda: sides(200, width=width),
        repeats=1,
        heavy=True,
        study=_under_the_limit,
    )


def _under_the_limit(samples: Samples) -> list[Finding]:
    peak = max(sample.peak or 0 for sides_of in samples.values() for sample in sides_of["gandiag"])
    return [Finding("peak memory of the whole process", f"{peak / 1e6:,.0f} MB", "under 2,000 MB", peak < LIMIT)]
