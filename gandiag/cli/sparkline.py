"""A series of numbers in one line of text."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-=+*#@"  # where the terminal has no blocks


def sparkline(
    points: Sequence[tuple[int, float]],
    width: int,
    *,
    begin: int,
    end: int,
    limits: tuple[float, float] | None = None,
    logarithmic: bool = False,
    blocks: str = BLOCKS,
) -> str:
    """A character for each part of the steps from `begin` to `end`: the median there, or what it was before.

    Args:
        points: step and finite value, by step.
        width: characters.
        begin: step at the left edge.
        end: step at the right edge.
        limits: values of the lowest and the highest block; by default those of the series.
        logarithmic: whether heights go with the logarithm; values of 0 or less are the lowest then.
        blocks: characters from low to high.
    """
    bins: list[list[float]] = [[] for _ in range(width)]
    span = max(end - begin, 1)
    for step, value in points:
        if begin <= step <= end:
            bins[min((step - begin) * width // span, width - 1)].append(value)
    heights = [statistics.median(values) if values else None for values in bins]
    last = max((place for place, values in enumerate(bins) if values), default=0)
    for place in range(1, last):
        heights[place] = heights[place - 1] if heights[place] is None else heights[place]
    known = [value for value in heights if value is not None]
    if not known:
        return " " * width
    low, high = limits or (min(known), max(known))
    if logarithmic:
        least = min((value for value in known if value > 0), default=1.0)
        heights = [None if value is None else math.log(max(value, least)) for value in heights]
        low, high = math.log(max(low, least)), math.log(max(high, least))
    return "".join(" " if value is None else blocks[_level(value, low, high, len(blocks))] for value in heights)


def _level(value: float, low: float, high: float, levels: int) -> int:
    if not high > low:
        return levels // 2 - 1
    # Halves first: the difference of two huge values is no float.
    share = (value / 2 - low / 2) / (high / 2 - low / 2)
    return min(levels - 1, max(0, int(share * levels)))
