"""Mixtures of isotropic Gaussians, one around each sample of a set, with variances fitted to another set.

The variances maximise the likelihood of the other set by 50 steps of Adam, from the variance that suits each centre's
nearest sample alone: the recipe of the feature likelihood divergence, whose numbers depend on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.statistics.neighbours import centred_pair, squared_distances

STEPS = 50
RATE = 0.5
DECAY, DECAY_SQUARE, TINY = 0.9, 0.999, 1e-8  # Adam's
LOWEST, HIGHEST = -40.0, 20.0  # of a log variance: a copied sample would have one of minus infinity
NEAREST_OFFSET = 1e-3  # added to the squared distance of the nearest sample before its logarithm
BACKGROUND_SHRINK = 0.9**2  # of squared distances to the mean, for the wide Gaussian that takes what no centre explains
CACHED = 2**28  # distances that are kept between steps, 1 GiB in float32
BLOCK = 2**18  # distances looked at together: they stay in the processor's cache
NEGLIGIBLE = -60.0  # log of the smallest share looked at; without it the processor would labour on denormal numbers

Blocks = Callable[[], Iterator[Tensor]]


@dataclass(frozen=True)
class Mixture:
    """Centres (m, d) and the log variance of each, (m,)."""

    centres: Tensor
    log_variances: Tensor


@dataclass(frozen=True)
class Likelihood:
    """How likely points are under a mixture.

    Attributes:
        log: log-likelihood of each point, (n,), float64.
        jackknife_variance: variance of its mean that comes from which centres there are, their variances held: the
            delete-one jackknife.
    """

    log: Tensor
    jackknife_variance: float


def fit_mixture(centres: Tensor, points: Tensor) -> Mixture:
    """Fit the variances of Gaussians around the centres (m, d) to the points (n, d)."""
    dimension = points.shape[1]
    blocks = _distance_blocks(points, centres)
    nearest = torch.stack([block.amin(dim=0) for block in blocks()]).amin(dim=0)
    log_variances = ((nearest + NEAREST_OFFSET) / dimension).log().clamp(LOWEST, HIGHEST)
    to_mean = BACKGROUND_SHRINK * (points - points.mean(dim=0)).square().sum(dim=1)
    background = log_variances.new_zeros(1)
    values = torch.cat([log_variances, background])
    first, second = torch.zeros_like(values), torch.zeros_like(values)
    for step in range(1, STEPS + 1):
        gradient = _gradient(blocks, to_mean, values, dimension, len(points))
        first = DECAY * first + (1 - DECAY) * gradient
        second = DECAY_SQUARE * second + (1 - DECAY_SQUARE) * gradient.square()
        size = (second / (1 - DECAY_SQUARE**step)).sqrt() + TINY
        values = values - RATE * first / (1 - DECAY**step) / size
        values[:-1].clamp_(LOWEST, HIGHEST)
    return Mixture(centres, values[:-1])


def likelihood(mixture: Mixture, points: Tensor) -> Likelihood:
    """Log-likelihood of the points (n, d), without the background Gaussian that helped the fit."""
    count = len(mixture.centres)
    scale, offset = _terms(mixture.log_variances, points.shape[1])
    logs, without = [], torch.zeros(count, dtype=torch.float64, device=points.device)
    for distances in _distance_blocks(points, mixture.centres, keep=False)():
        terms = torch.addcmul(offset, distances, scale).double()
        log = terms.logsumexp(dim=1)
        logs.append(log)
        best = terms.argmax(dim=1, keepdim=True)
        # Without the best centre the others remain; without another one, all but its share.
        change = torch.log1p(-(terms - log[:, None]).exp().clamp_max(0.5)) if count > 1 else torch.zeros_like(terms)
        if count > 1:
            others = terms.scatter(1, best, -torch.inf).logsumexp(dim=1)
            change.scatter_(1, best, (others - log)[:, None])
        without += change.sum(dim=0)
    log = torch.cat(logs) - math.log(count)
    change = without / max(len(points), 1)
    variance = float((change - change.mean()).square().sum() * (count - 1) / count)
    return Likelihood(log, variance)


def _gradient(blocks: Blocks, to_mean: Tensor, values: Tensor, dimension: int, count: int) -> Tensor:
    """Of the mean negative log-likelihood over the dimension, by the log variances and the background's."""
    centres = len(values) - 1
    scale, offset = _terms(values[:-1], dimension)
    offset = offset - math.log(centres)
    background_scale, background_offset = _terms(values[-1:], dimension)
    background = torch.addcmul(background_offset, to_mean, background_scale)
    shares = torch.zeros(centres + 1, dtype=torch.float64, device=values.device)
    weighted = torch.zeros_like(shares)
    start = 0
    for distances in blocks():
        rows = slice(start, start + len(distances))
        start += len(distances)
        terms = torch.addcmul(offset, distances, scale)
        top = torch.maximum(terms.amax(dim=1), background[rows])
        terms.sub_(top[:, None]).clamp_min_(NEGLIGIBLE).exp_()
        rest = (background[rows] - top).exp()
        inverse = 1 / (terms.sum(dim=1) + rest)
        shares[:-1] += inverse @ terms
        shares[-1] += inverse @ rest
        weighted[:-1] += inverse @ terms.mul_(distances)
        weighted[-1] += inverse @ (rest * to_mean[rows])
    slope = 0.5 * weighted * (-values).double().exp() - 0.5 * dimension * shares
    return (-slope / (count * dimension)).to(values.dtype)


def _terms(log_variances: Tensor, dimension: int) -> tuple[Tensor, Tensor]:
    """Factor of the squared distance in each Gaussian's log density, and what stands beside it."""
    offset = -0.5 * dimension * (log_variances + math.log(2 * math.pi))
    return -0.5 * (-log_variances).exp(), offset


def _distance_blocks(points: Tensor, centres: Tensor, keep: bool = True) -> Blocks:
    """Squared distances of all points to the centres, row block by row block; kept where they fit."""
    near_centres, near_points = centred_pair(real=centres, fake=points)
    norms = near_centres.square().sum(dim=1)
    step = max(1, BLOCK // max(len(centres), 1))
    rows = max(step, 1024 // step * step)  # a multiplication of many rows at once is faster than of few

    def computed() -> Iterator[Tensor]:
        for part in torch.split(near_points, rows):
            yield from torch.split(squared_distances(part, near_centres, norms), step)

    if not keep or len(points) * len(centres) > CACHED:
        return computed
    kept = list(computed())
    return lambda: iter(kept)
