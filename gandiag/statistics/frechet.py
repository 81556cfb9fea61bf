"""The Frechet distance between Gaussians, and how each sample moves it.

With `S_r = L L'` (any factor), the trace of the root of `S_r S_f` is the trace of the root of the symmetric, positive
`M = L' S_f L`: no `sqrtm`, never complex, never negative. The optimal map from the real to the fake Gaussian is
`T = L^-T M^1/2 L^-1`; it gives the influence function.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.statistics.grouped_moments import GroupedMoments
from gandiag.statistics.moments import CHUNK, Moments, moments

BLOCKS = 4  # of a triangular product
SMALLEST_BLOCK = 64


@dataclass(frozen=True)
class Frechet:
    """Squared Frechet distance (Dowson and Landau, 1982) and whether a covariance was rank-deficient."""

    distance: float
    rank_deficient: bool


def frechet_distance(*, real: Moments, fake: Moments) -> Frechet:
    """`|mu_r - mu_f|^2 + tr(S_r + S_f - 2 (S_r S_f)^1/2)`; exactly 0 to rounding for equal moments."""
    real_covariance, fake_covariance = real.covariance, fake.covariance
    factor, deficient = _factor(real_covariance)
    root_trace = torch.linalg.eigvalsh(_sandwich(factor, fake_covariance)).clamp_min(0).sqrt().sum()
    deficient = deficient or fake.count <= len(fake.mean)
    return Frechet(_distance(real, fake, root_trace), deficient)


def frechet_distance_of_features(*, real: Tensor, fake: Tensor) -> Frechet:
    """The same from features (n, d); with fewer samples than dimensions from the nuclear norm of the centred rows.

    `tr (S_r S_f)^1/2 = ||X_r X_f'||_* / sqrt((n_r - 1)(n_f - 1))`, which is exact and needs no (d, d) matrix.
    """
    dimension = real.shape[1]
    if min(len(real), len(fake)) > dimension:
        return frechet_distance(real=moments(real), fake=moments(fake))
    rows_real, rows_fake = real.double(), fake.double()
    mean_real, mean_fake = rows_real.mean(dim=0), rows_fake.mean(dim=0)
    rows_real = (rows_real - mean_real) / (len(real) - 1) ** 0.5
    rows_fake = (rows_fake - mean_fake) / (len(fake) - 1) ** 0.5
    root_trace = torch.linalg.svdvals(rows_real @ rows_fake.T).sum()
    trace = rows_real.square().sum() + rows_fake.square().sum()
    distance = (mean_real - mean_fake).square().sum() + trace - 2 * root_trace
    return Frechet(max(float(distance), 0.0), True)


def frechet_distance_of_grouped(*, real: GroupedMoments, fake: GroupedMoments) -> Frechet:
    """The same from grouped moments, by the cheapest exact way: features where they are fewer than dimensions."""
    few_real, few_fake = (side.complete and len(side) <= side.dimension for side in (real, fake))
    if (few_real and fake.complete) or (few_fake and real.complete):
        return frechet_distance_of_features(real=real.rows, fake=fake.rows)
    if few_real:
        return _distance_of_few(real.rows, fake.whole)
    if few_fake:
        return _distance_of_few(fake.rows, real.whole)
    return frechet_distance(real=real.whole, fake=fake.whole)


def frechet_influence(*, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Influence of each real and each fake sample on their Frechet distance: two float64 tensors, (n_r,) and (n_f,).

    The mean of each is 0 and `var(phi_f) / n_f + var(phi_r) / n_r` is the variance of the distance to first order.
    """
    real_moments, fake_moments = moments(real), moments(fake)
    to_fake, to_real = optimal_maps(real=real_moments, fake=fake_moments)
    on_real = influence(real, own=real_moments, other=fake_moments, optimal_map=to_fake)
    on_fake = influence(fake, own=fake_moments, other=real_moments, optimal_map=to_real)
    return on_real - on_real.mean(), on_fake - on_fake.mean()


def optimal_maps(*, real: Moments, fake: Moments) -> tuple[Tensor, Tensor]:
    """The linear maps that carry the real Gaussian onto the fake one, and back: two (d, d) float64 matrices."""
    factor, _ = _factor(real.covariance)
    values, vectors = torch.linalg.eigh(_sandwich(factor, fake.covariance))
    roots = values.clamp_min(0).sqrt()
    # Directions in which one side has no spread carry no sample of that side: the pseudo-inverse leaves them out.
    kept = roots > roots.amax().clamp_min(0) * 1e-7 if len(roots) else roots > 0
    inverse_roots = torch.where(kept, 1 / torch.where(kept, roots, 1), 0)
    inverse = _inverse(factor)  # empty for a side without any spread, whose maps are then zero
    to_fake = inverse.T @ (vectors * roots) @ vectors.T @ inverse
    to_real = factor @ (vectors * inverse_roots) @ vectors.T @ factor.T
    return to_fake, to_real


def influence(rows: Tensor, *, own: Moments, other: Moments, optimal_map: Tensor) -> Tensor:
    """Influence of samples (n, d) on the distance of their side from the other: float64 (n,).

    `phi(x) = 2 (mu - mu_o)'(x - mu) + (x - mu)'(I - T)(x - mu) - tr((I - T) S)` with `T` the map from the side's own
    Gaussian onto the other.
    """
    curvature = torch.eye(len(optimal_map), dtype=torch.float64, device=optimal_map.device) - optimal_map
    level = (curvature * own.covariance).sum()
    parts = []
    for block in torch.split(rows, CHUNK):
        centred = block.double() - own.mean
        linear = 2 * centred @ (own.mean - other.mean)
        parts.append(linear + ((centred @ curvature) * centred).sum(dim=1) - level)
    return torch.cat(parts)


def normal_influence_variance(*, own: Moments, other: Moments, optimal_map: Tensor) -> float:
    """Variance of the influence of a sample of the side's own Gaussian, for a side whose samples are not at hand."""
    curvature = torch.eye(len(optimal_map), dtype=torch.float64, device=optimal_map.device) - optimal_map
    shift, bent = own.mean - other.mean, curvature @ own.covariance
    return float(4 * shift @ own.covariance @ shift + 2 * (bent * bent.T).sum())


def _distance_of_few(rows: Tensor, other: Moments) -> Frechet:
    """The distance between a side with no more samples than dimensions and one of which the moments are known."""
    values = rows.double()
    mean = values.mean(dim=0)
    values = (values - mean) / (len(values) - 1) ** 0.5
    product = values @ other.covariance @ values.T
    # Centred rows add up to 0, so the least eigenvalue is 0, and its computed value the root of a rounding error.
    root_trace = torch.linalg.eigvalsh((product + product.T) / 2)[1:].clamp_min(0).sqrt().sum()
    trace = values.square().sum() + other.covariance.trace()
    distance = (mean - other.mean).square().sum() + trace - 2 * root_trace
    return Frechet(max(float(distance), 0.0), True)


def _sandwich(factor: Tensor, covariance: Tensor) -> Tensor:
    """The lower triangle of `L' S L`, which is all that a symmetric solver reads; above it anything may stand.

    Where L is triangular, what is known to be 0 is left out of the products, a block of columns at a time.
    """
    if not _is_lower(factor) or len(factor) < BLOCKS * SMALLEST_BLOCK:
        return factor.T @ covariance @ factor
    size = -(-len(factor) // BLOCKS)
    cuts = [slice(start, min(start + size, len(factor))) for start in range(0, len(factor), size)]
    right = torch.empty_like(covariance)
    for cut in cuts:
        torch.mm(factor[cut.start :, cut].T, covariance[cut.start :], out=right[cut])
    product = torch.zeros_like(covariance)
    for cut in cuts:
        product[cut.start :, cut] = right[cut.start :, cut.start :] @ factor[cut.start :, cut]
    return product


def _is_lower(factor: Tensor) -> bool:
    return factor.shape[0] == factor.shape[1] and bool((factor.triu(1) == 0).all())


def _inverse(factor: Tensor) -> Tensor:
    """Pseudo-inverse of a factor; that of a triangular one, which has full rank, by substitution."""
    if _is_lower(factor):
        identity = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
        inverse: Tensor = torch.linalg.solve_triangular(factor, identity, upper=False)
    else:
        inverse = torch.linalg.pinv(factor)
    return inverse


def _distance(real: Moments, fake: Moments, root_trace: Tensor) -> float:
    trace = real.covariance.trace() + fake.covariance.trace()
    return max(float((real.mean - fake.mean).square().sum() + trace - 2 * root_trace), 0.0)


def _factor(covariance: Tensor) -> tuple[Tensor, bool]:
    """A matrix `L` with `L L' = covariance`, and whether the covariance lacks full rank."""
    lower, failed = torch.linalg.cholesky_ex(covariance)
    if not bool(failed):
        return lower, False
    values, vectors = torch.linalg.eigh(covariance)
    # Eigenvalues at the level of rounding are noise whose roots would add up: leave them out.
    kept = values > values.clamp_min(0).max() * len(values) * torch.finfo(values.dtype).eps
    return vectors[:, kept] * values[kept].sqrt(), True
