"""From values to places on an axis, and round numbers to mark on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

LARGEST = 1e300  # what is beyond it is drawn at it, so that no difference overflows
SMALLEST = 1 / LARGEST  # on a logarithmic axis


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic axis: `low` lies at `start`, `high` at `stop`."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value; values beyond the axis end at its ends."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, low))
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        return self.start + share * (self.stop - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values on the axis, `most` at the most."""
        if self.log:
            decades = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            step = max(1, math.ceil(len(decades) / most))
            if len(decades) >= 2:
                return [10.0**power for power in decades[::step]]
        return _round_values(self.low, self.high, most)


def fitted(
    values: Iterable[float], start: float, stop: float, *, log: bool = False, least: float | None = None
) -> Scale:
    """An axis that holds all values with a little room; `least` is a value that it holds too, such as 0."""
    numbers = [
        min(max(value, -LARGEST), LARGEST) for value in values if math.isfinite(value) and not (log and value <= 0)
    ]
    if least is not None and not log:
        numbers.append(least)
    if not numbers:
        return Scale(1.0 if log else 0.0, 10.0 if log else 1.0, start, stop, log)
    low, high = min(numbers), max(numbers)
    if log:
        low = max(low, SMALLEST)
        high, low = (high, low) if high > low * 1.01 else (max(high, low) * 2, low / 2)
        room = 10 ** (0.05 * (math.log10(high) - math.log10(low)))
        return Scale(max(low / room, SMALLEST / 2), min(high * room, LARGEST * 2), start, stop, log=True)
    room = 0.05 * (high - low) or max(abs(high) * 0.1, 1e-9)
    return Scale(low - (0 if low == least else room), high + room, start, stop)


def short(value: float) -> str:
    """A number as an axis has it: few digits, k and M for thousands and millions."""
    for limit, unit in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e6 if unit == 'M' else 1e3):.4g}{unit}" if abs(value) < 1e9 else f"{value:.0e}"
    if value != 0 and abs(value) < 1e-3:
        return f"{value:.0e}".replace("e-0", "e-")
    return f"{value:.4g}"


def _round_values(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]
