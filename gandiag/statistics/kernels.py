"""Maximum mean discrepancy: the U-statistic over all pairs, and its variance from its own decomposition.

The kernel matrices are made in tiles and never kept: memory grows with the number of samples, not with its square.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

TILE = 2048  # rows and columns of a kernel matrix that are in memory at once

Kernel = Callable[[Tensor, Tensor], Tensor]


def polynomial_kernel(rows: Tensor, columns: Tensor) -> Tensor:
    """`(x'y / d + 1)^3` of each pair (n, m), the kernel of KID."""
    product = rows @ columns.T
    return product.div_(rows.shape[1]).add_(1).pow_(3)


def gaussian_kernel(sigma: float) -> Kernel:
    """`exp(-|x - y|^2 / (2 sigma^2)) - 1` of each pair.

    The constant cancels in a discrepancy. Without it a wide kernel, whose values are all nearly 1, keeps its digits.
    """

    def kernel(rows: Tensor, columns: Tensor) -> Tensor:
        halves = rows.square().sum(dim=1)[:, None] + columns.square().sum(dim=1)[None, :]
        distances = torch.addmm(halves, rows, columns.T, alpha=-2).clamp_min_(0)
        return distances.div_(-2 * sigma**2).expm1_()

    return kernel


@dataclass(frozen=True)
class Discrepancy:
    """The squared discrepancy of two sets of samples.

    Attributes:
        value: unbiased; below 0 for some equal distributions.
        biased: with each sample paired with itself too, 0 or more: above the unbiased one by about c / N.
        variances: of `value`, unbiased estimates of the parts of first and of second order; None below 4 samples a
            side.
        subsets: unbiased values of the subsets of samples that were asked for, (s,).
        influence: of each real and each fake sample on `value`, (n,) and (m,); None below 4 samples a side.
    """

    value: float
    biased: float
    variances: tuple[float, float] | None
    subsets: Tensor
    influence: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True)
class _Sums:
    """Of a kernel matrix: sums of its rows and of its columns, of its squares, and within each subset."""

    rows: Tensor
    columns: Tensor
    squares: float
    subsets: Tensor
    diagonal: float = 0.0

    @property
    def total(self) -> float:
        return float(self.rows.sum())


def discrepancy(
    *, real: Tensor, fake: Tensor, kernel: Kernel, in_real: Tensor | None = None, in_fake: Tensor | None = None
) -> Discrepancy:
    """Squared maximum mean discrepancy of features, 2 or more a side.

    Args:
        real: features (n, d).
        fake: features (m, d).
        kernel: of two blocks of rows.
        in_real: bool (s, n), which real samples are in each of `s` subsets; as many are in `in_fake`.
        in_fake: bool (s, m).
    """
    n, m = len(real), len(fake)
    chosen_real = _weights(in_real, real)
    chosen_fake = _weights(in_fake, fake)
    within_real, within_fake = _within(real, kernel, chosen_real), _within(fake, kernel, chosen_fake)
    between = _between(real, fake, kernel, chosen_real, chosen_fake)
    cross = 2 * between.total / (n * m)
    value = within_real.total / (n * (n - 1)) + within_fake.total / (m * (m - 1)) - cross
    biased = (within_real.total + within_real.diagonal) / n**2 + (within_fake.total + within_fake.diagonal) / m**2
    size = chosen_real[:, 1:].sum(dim=0)
    pairs = (size * (size - 1)).clamp_min(1)
    enough = min(n, m) > 3
    return Discrepancy(
        value=value,
        biased=biased - cross,
        variances=_variances(within_real, within_fake, between) if enough else None,
        subsets=(within_real.subsets + within_fake.subsets) / pairs - 2 * between.subsets / size.square().clamp_min(1),
        influence=_influence(within_real, within_fake, between) if enough else None,
    )


def _influence(real: _Sums, fake: _Sums, between: _Sums) -> tuple[Tensor, Tensor]:
    """Twice the projections of each side."""
    n, m = len(real.rows), len(fake.rows)
    return 2 * (real.rows / (n - 2) - between.rows / m), 2 * (fake.rows / (m - 2) - between.columns / n)


def _variances(real: _Sums, fake: _Sums, between: _Sums) -> tuple[float, float]:
    """Variance of the unbiased value in two parts, by Hoeffding's decomposition.

    The value is its expectation plus five uncorrelated parts. Two are of first order, means of the projections
    `g(x) = E k(x, X') - E k(x, Y)`, with variance 4 Var(g) / n. Three are of second order, means of the centred kernel
    over the pairs of the real, of the fakes, and of both: for equal distributions they are all there is.
    """
    n, m = len(real.rows), len(fake.rows)
    square_real, square_fake = _centred_square_within(real), _centred_square_within(fake)
    square_between = _centred_square_between(between)
    first = 0.0
    for sums, other, square, own, others in (
        (real.rows, between.rows, square_real, n, m),
        (fake.rows, between.columns, square_fake, m, n),
    ):
        projection = sums / (own - 2) - other / others
        # The projections are themselves means over samples; what that adds to their spread is known, and taken away.
        first += 4 * (float(projection.var()) - square / (own - 2) - square_between / others) / own
    second = 2 * square_real / (n * (n - 1)) + 2 * square_fake / (m * (m - 1)) + 4 * square_between / (n * m)
    return first, second


def _centred_square_within(sums: _Sums) -> float:
    """Unbiased mean square of the doubly centred kernel of one side (the U-centring of Szekely and Rizzo, 2014)."""
    n = len(sums.rows)
    total = sums.squares - 2 * float(sums.rows.square().sum()) / (n - 2) + sums.total**2 / ((n - 1) * (n - 2))
    return max(total, 0.0) / (n * (n - 3))


def _centred_square_between(sums: _Sums) -> float:
    """The same between the sides."""
    n, m = len(sums.rows), len(sums.columns)
    means = float(sums.rows.square().sum()) / m + float(sums.columns.square().sum()) / n
    return max(sums.squares - means + sums.total**2 / (n * m), 0.0) / ((n - 1) * (m - 1))


def _weights(members: Tensor | None, samples: Tensor) -> Tensor:
    """A column of ones and one for each subset, float64 (n, 1 + s): one product gives all sums of a tile."""
    ones = torch.ones(len(samples), 1, dtype=torch.float64, device=samples.device)
    return ones if members is None else torch.cat([ones, members.T.to(ones)], dim=1)


def _within(samples: Tensor, kernel: Kernel, weights: Tensor) -> _Sums:
    """Sums over the pairs of different samples: each tile above the diagonal stands for its mirror image too."""
    rows = torch.zeros(len(samples), dtype=torch.float64, device=samples.device)
    subsets = rows.new_zeros(weights.shape[1] - 1)
    squares = diagonal = 0.0
    tiles = _tiles(len(samples))
    for number, tile in enumerate(tiles):
        for other in tiles[number:]:
            values = kernel(samples[tile], samples[other]).double()
            mirrored = other != tile
            if mirrored:
                rows[other] += values.sum(dim=0)
            else:
                diagonal += float(values.diagonal().sum())
                values.fill_diagonal_(0)
            sums = values @ weights[other]
            rows[tile] += sums[:, 0]
            subsets += (1 + mirrored) * (sums[:, 1:] * weights[tile, 1:]).sum(dim=0)
            squares += (1 + mirrored) * float(values.square().sum())
    return _Sums(rows, rows, squares, subsets, diagonal)


def _between(real: Tensor, fake: Tensor, kernel: Kernel, chosen_real: Tensor, chosen_fake: Tensor) -> _Sums:
    rows, columns = chosen_real.new_zeros(len(real)), chosen_real.new_zeros(len(fake))
    subsets = rows.new_zeros(chosen_real.shape[1] - 1)
    squares = 0.0
    for tile in _tiles(len(real)):
        for other in _tiles(len(fake)):
            values = kernel(real[tile], fake[other]).double()
            sums = values @ chosen_fake[other]
            rows[tile] += sums[:, 0]
            columns[other] += values.sum(dim=0)
            subsets += (sums[:, 1:] * chosen_real[tile, 1:]).sum(dim=0)
            squares += float(values.square().sum())
    return _Sums(rows, columns, squares, subsets)


def _tiles(count: int) -> list[slice]:
    return [slice(start, min(start + TILE, count)) for start in range(0, count, TILE)]
