"""Moments of a few groups of one set of samples: what the Frechet distance and its error bars need of any number.

Each sample is in one group, at random but by its index alone. Half of the groups is a random half of the samples, and
the splits that a Hadamard matrix makes of the groups are orthogonal: balanced half-sampling (McCarthy, 1969). Memory
does not grow with the number of samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.errors import InputError
from gandiag.statistics.moments import Moments, absorbed, merge, moments

ROWS = 8192  # samples whose features are kept as they are
GROUPS = 16
GROUPS_WIDE = 4  # above WIDE dimensions, where each group's moments take megabytes
WIDE = 512
SMALLEST_GROUP = 4
BUFFER = 4096  # rows collected before they go into the moments


class GroupedMoments:
    """Moments of a set of samples by group, and the features of the first few samples.

    Attributes:
        count: number of samples; None where a statistics file does not say.
        rows: features (m, d) of the first m samples; all of them where `count` is at most 8192.
        lowest, highest: of each dimension, (d,), or None where a statistics file does not say.
    """

    def __init__(
        self,
        *,
        count: int | None,
        rows: Tensor,
        lowest: Tensor | None,
        highest: Tensor | None,
        groups: Sequence[Moments] | None = None,
    ) -> None:
        self.count = count
        self.rows = rows
        self.lowest = lowest
        self.highest = highest
        self._groups = None if groups is None else tuple(groups)

    def __len__(self) -> int:
        return self.count or 0

    @property
    def dimension(self) -> int:
        """Number of features."""
        return self.rows.shape[1]

    @property
    def complete(self) -> bool:
        """Whether `rows` are all samples."""
        return self.count == len(self.rows)

    @property
    def from_rows(self) -> bool:
        """Whether `groups` follow from `rows`, and are not known by themselves."""
        return self._groups is None

    @cached_property
    def groups(self) -> tuple[Moments, ...]:
        """Moments of each group; a power of two of them."""
        if self._groups is not None:
            return self._groups
        members = group_of(0, len(self.rows), self.group_count)
        return tuple(moments(self.rows[members == group]) for group in range(self.group_count))

    @property
    def group_count(self) -> int:
        """How many groups there are; 1 cannot be halved."""
        if self._groups is not None:
            return len(self._groups)
        return group_count(self.dimension, len(self.rows))

    @cached_property
    def whole(self) -> Moments:
        """Moments of all samples."""
        return moments(self.rows) if self._groups is None else merge(self._groups)

    def halves(self, split: int, group_count: int) -> tuple[GroupedMoments, GroupedMoments]:
        """Both halves of a split, numbered from 1 to `group_count - 1`; any two such splits are orthogonal.

        Args:
            split: which one.
            group_count: how many groups to split, a divisor of their number: those of the side that has fewer.
        """
        width = self.group_count // group_count
        sides = [((group // width) & split).bit_count() % 2 for group in range(self.group_count)]
        return self._part(sides, 0), self._part(sides, 1)

    def _part(self, sides: Sequence[int], half: int) -> GroupedMoments:
        rows = self.rows[:0]
        if self.complete:
            members = group_of(0, len(self.rows), self.group_count)
            rows = self.rows[(torch.tensor(sides)[members] == half).to(self.rows.device)]
        known = None
        if not self.complete or len(rows) > self.dimension:
            known = [part for part, side in zip(self.groups, sides, strict=True) if side == half]
        count = len(rows) if known is None else sum(part.count for part in known)
        return GroupedMoments(count=count, rows=rows, lowest=self.lowest, highest=self.highest, groups=known)

    def biased(self) -> GroupedMoments:
        """The same with covariances divided by N in place of N - 1, as some tools have them."""
        if not self.count:
            return self
        mean, scale = self.whole.mean, (1 - 1 / self.count) ** 0.5
        groups = self._groups and [
            Moments(part.count, mean + scale * (part.mean - mean), scale**2 * part.scatter) for part in self._groups
        ]
        return GroupedMoments(
            count=self.count,
            rows=mean + scale * (self.rows.double() - mean),
            lowest=self.lowest,
            highest=self.highest,
            groups=groups,
        )

    def selected(self, dimensions: Tensor) -> GroupedMoments:
        """The same of some dimensions: a bool (d,) mask."""
        if bool(dimensions.all()):
            return self
        groups = self._groups and [
            Moments(part.count, part.mean[dimensions], part.scatter[dimensions][:, dimensions]) for part in self._groups
        ]
        return GroupedMoments(
            count=self.count,
            rows=self.rows[:, dimensions],
            lowest=None if self.lowest is None else self.lowest[dimensions],
            highest=None if self.highest is None else self.highest[dimensions],
            groups=groups,
        )


class MomentsAccumulator:
    """Adds up the grouped moments of samples that come in batches, on the device where they are.

    Args:
        total: how many samples the whole set has, of which this may see only a part.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self.seen = 0  # samples so far
        self._rows: list[Tensor] = []
        self._waiting: list[tuple[int, Tensor]] = []
        self._groups: list[Moments] | None = None
        self._lowest: Tensor | None = None
        self._highest: Tensor | None = None

    def add(self, features: Tensor, start: int) -> None:
        """Add the features (n, d) of samples `start` to `start + n`."""
        if not len(features):
            return
        self.seen += len(features)
        low, high = features.amin(dim=0), features.amax(dim=0)
        self._lowest = low if self._lowest is None else torch.minimum(self._lowest, low)
        self._highest = high if self._highest is None else torch.maximum(self._highest, high)
        if start < ROWS:
            self._rows.append(features[: ROWS - start].clone())
        if self._total > ROWS:
            self._waiting.append((start, features))
            if sum(len(waiting) for _, waiting in self._waiting) >= BUFFER:
                self._flush()

    def result(self) -> GroupedMoments:
        """What was added up; raises InputError if there was nothing."""
        if self._waiting:
            self._flush()
        if self._lowest is None:
            raise InputError("there are no moments of no samples")
        none = self._lowest.new_empty(0, len(self._lowest))
        return GroupedMoments(
            count=self.seen,
            rows=torch.cat(self._rows) if self._rows else none,
            lowest=self._lowest,
            highest=self._highest,
            groups=self._groups,
        )

    def _flush(self) -> None:
        features = torch.cat([waiting for _, waiting in self._waiting])
        count = group_count(features.shape[1], self._total)
        members = torch.cat([group_of(start, start + len(waiting), count) for start, waiting in self._waiting])
        members = members.to(features.device)
        parts = [moments(features[members == group]) for group in range(count)]
        self._groups = parts if self._groups is None else list(map(absorbed, self._groups, parts))
        self._waiting = []


def grouped_moments(features: Tensor) -> GroupedMoments:
    """Grouped moments of features (n, d) that are in memory."""
    accumulator = MomentsAccumulator(len(features))
    for start in range(0, max(len(features), 1), BUFFER):
        accumulator.add(features[start : start + BUFFER], start)
    if len(features):
        return accumulator.result()
    return GroupedMoments(count=0, rows=features, lowest=None, highest=None)


def merge_grouped(parts: Sequence[GroupedMoments]) -> GroupedMoments:
    """Grouped moments of one set from those of its parts, which were accumulated in the order of the samples."""
    if len(parts) == 1:
        return parts[0]
    grouped = [part._groups for part in parts if part._groups is not None]
    lowest = [part.lowest for part in parts if part.lowest is not None]
    highest = [part.highest for part in parts if part.highest is not None]
    return GroupedMoments(
        count=sum(len(part) for part in parts),
        rows=torch.cat([part.rows for part in parts]),
        lowest=torch.stack(lowest).amin(dim=0),
        highest=torch.stack(highest).amax(dim=0),
        groups=[merge(same) for same in zip(*grouped, strict=True)] if grouped else None,
    )


def group_count(dimension: int, samples: int) -> int:
    """How many groups a set of samples has: 16, fewer where they would be tiny or their moments huge."""
    most = GROUPS if dimension <= WIDE else GROUPS_WIDE
    while most > 1 and samples < most * SMALLEST_GROUP:
        most //= 2
    return most


def group_of(start: int, stop: int, groups: int) -> Tensor:
    """Group of samples `start` to `stop`: int64 (n,). Each run of `groups` samples has one in each group."""
    first, last = start // groups, -(-stop // groups)
    drawn = seeds.uniform(0, "moment groups", first * groups, last * groups, 1)
    order = torch.from_numpy(drawn).view(-1, groups).argsort(dim=1).flatten()
    return order[start - first * groups : stop - first * groups]
