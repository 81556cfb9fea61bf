"""What a work is: the same data for several sides, pairs of sides to compare, and the goal of each pair."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """One size of a work.

    Attributes:
        name: of the size, for the table.
        prepare: makes the data that every side is given; the same in every process.
    """

    name: str
    prepare: Callable[[], Any]


@dataclass(frozen=True)
class Side:
    """One way to do the work.

    Attributes:
        name: of the tool, and of the variant of it.
        run: from the data to the answer; in a work of fresh processes, to numbers.
        needs: modules without which this side is left out.
    """

    name: str
    run: Callable[[Any], Any]
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Modules that are not installed."""
        return [module for module in self.needs if importlib.util.find_spec(module) is None]


@dataclass(frozen=True)
class Pair:
    """One of gandiag's ways against a peer.

    Attributes:
        ours: name of gandiag's side; `peer` that of the other.
        faster: by how many times it is to be faster; None for no goal.
        smaller: by how many times the peer's memory is to be larger; None for no goal.
        tolerance: up to which difference the answers are the same; None where they need not be.
    """

    ours: str
    peer: str
    faster: float | None = None
    smaller: float | None = None
    tolerance: float | None = None


@dataclass(frozen=True)
class Sample:
    """One measurement of one side.

    Attributes:
        seconds: it took.
        extra: bytes of memory at the peak above what the process held before; None where it was not measured.
        peak: bytes of memory of the whole process at its peak; None where it was not measured.
    """

    seconds: float
    extra: int | None = None
    peak: int | None = None


@dataclass(frozen=True)
class Finding:
    """A number beside the comparison; `met` is None where there is no goal for it."""

    name: str
    value: str
    goal: str = ""
    met: bool | None = None


Samples = Mapping[str, Mapping[str, Sequence[Sample]]]
"""By case and side."""


@dataclass(frozen=True)
class Work:
    """Something that gandiag and peers can do on the very same data.

    Attributes:
        name: to ask for it by.
        title: what it is, for the table.
        cases: its sizes.
        sides: who does it, in the order of every round.
        pairs: who is compared with whom.
        difference: of two answers; 0 for equal ones.
        fresh: whether each measurement has a process of its own, so that memory can be measured.
        small: for a work of fresh processes, data for a first run that is not measured: it loads what is loaded late.
        repeats: rounds, unless the user says how many.
        heavy: whether it is only done when asked for.
        study: makes more findings from all measurements.
    """

    name: str
    title: str
    cases: tuple[Case, ...]
    sides: tuple[Side, ...]
    pairs: tuple[Pair, ...] = ()
    difference: Callable[[Any, Any], float] = lambda one, other: relative_difference(one, other)
    fresh: bool = False
    small: Callable[[], Any] | None = None
    repeats: int = 5
    heavy: bool = False
    study: Callable[[Samples], list[Finding]] = lambda samples: []


def relative_difference(one: Any, other: Any) -> float:
    """Largest difference of two numbers or tensors, over the largest value."""
    if isinstance(one, float):
        return abs(one - other) / max(abs(other), 1e-300)
    largest: float = ((one - other).abs().max() / other.abs().max()).item()
    return largest


def largest_difference(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Largest difference of two sets of named numbers, of those that both have."""
    return max(abs(one[name] - other[name]) for name in one.keys() & other.keys())
