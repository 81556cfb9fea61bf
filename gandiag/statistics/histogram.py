"""Counts over modes: the divergence from uniform, its sampling floor, and how sure both are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gandiag.core.errors import InternalError
from gandiag.statistics.intervals import distance_interval

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

NOWHERE = -1  # in place of a mode's number, for a sample in none
GROUPS = 16  # of samples, whose 15 orthogonal splits into halves tell the second order


def mode_counts(assigned: Counts, total: int) -> Counts:
    """Samples in each of `total` modes, from the mode that each sample is in."""
    return np.bincount(assigned[assigned != NOWHERE], minlength=total)


def divergence_from_uniform(shares: Shares) -> float:
    """`KL(shares || uniform)` in nats, from 0 to ln K; empty modes add 0."""
    positive = shares[shares > 0]
    return max(float((positive * np.log(positive * len(shares))).sum()), 0.0)


def check_divergence(divergence: float, counts: Counts) -> None:
    """Raise InternalError where a divergence breaks `0 <= KL <= ln K` or `KL >= ln(K / modes)`."""
    modes, total = int((counts > 0).sum()), len(counts)
    if not math.log(total / modes) - 1e-9 <= divergence <= math.log(total) + 1e-9:
        raise InternalError(f"KL {divergence} with {modes} of {total} modes breaks ln(K / modes) <= KL <= ln K")


@dataclass(frozen=True)
class Sampled:
    """Expectation and standard deviation of the divergence from uniform of N samples."""

    mean: float
    deviation: float


def sampled_divergence(samples: int, probabilities: Shares) -> Sampled:
    """What N samples drawn from the `probabilities` of K modes show of their divergence from uniform.

    The mean is exact: `E KL = ln K + sum_i E[g(n_i)]`, `g(n) = (n / N) ln(n / N)` and `n_i ~ Bin(N, p_i)`. The
    deviation takes
    the counts as independent Poisson numbers given their sum: `sum_i Var g(n_i) - (sum_i Cov(g(n_i), n_i))^2 / N`.
    """
    mean, variance, covariance = math.log(len(probabilities)), 0.0, 0.0
    distinct, repeats = np.unique(probabilities[probabilities > 0], return_counts=True)
    # Shares of like size share a window of counts, which is as wide as the largest of them needs.
    groups = np.floor(np.log2(np.maximum(samples * distinct, 1.0))).astype(int)
    for group in np.unique(groups):
        shares, weights = distinct[groups == group], repeats[groups == group]
        sums = _moments_of_term(samples, shares)
        mean, variance, covariance = (
            total + float(weights @ part) for total, part in zip((mean, variance, covariance), sums, strict=True)
        )
    # To second order the sum takes away one of the K degrees of freedom.
    variance -= covariance**2 / samples + 1 / (2 * samples**2)
    return Sampled(mean, math.sqrt(max(variance, 0.0)))


def _moments_of_term(samples: int, shares: Shares) -> tuple[Shares, Shares, Shares]:
    """For each share the binomial mean of `g`, its Poisson variance and its Poisson covariance with the count."""
    from scipy.special import gammaln, xlog1py

    expected = (samples * shares)[:, None]
    reach = math.ceil(12 * math.sqrt(float(expected.max())) + 40)
    counts = np.maximum(np.round(expected), reach) + np.arange(-reach, reach + 1.0)
    logs = counts * np.log(expected) - gammaln(counts + 1)
    poisson = np.exp(logs - expected)
    fractions = counts / samples
    values = fractions * np.log(np.where(counts > 0, fractions, 1.0))
    centre = (poisson * values).sum(axis=1, keepdims=True)
    variance = (poisson * (values - centre) ** 2).sum(axis=1)
    covariance = (poisson * (values - centre) * (counts - expected)).sum(axis=1)
    left = samples - counts
    room = gammaln(samples + 1.0) - gammaln(np.maximum(left, 0) + 1) - counts * math.log(samples)
    binomial = np.where(left >= 0, np.exp(logs + room + xlog1py(np.maximum(left, 0), -shares[:, None])), 0.0)
    return (binomial * values).sum(axis=1), variance, covariance


@dataclass(frozen=True)
class Population:
    """KL(population || uniform) behind some counts: freed from its bias in N, with standard error and 95% interval.

    The interval may reach below 0, so that one around a divergence of 0 covers it as often as any other.
    """

    divergence: float
    stderr: float
    ci95: tuple[float, float]


def population_divergence(counts: Counts, expected: Shares) -> Population:
    """The population's divergence from uniform.

    The bias is the exact one of a population with the `expected` shares, in proportion to the modes that were reached,
    as Miller's (1955) `(m - 1) / 2N` is. The variance is `S / N + (m - 1) / 2N^2` for m modes, with S the variance of
    ln p, freed from the `(m - 1) / N` that noise alone gives it. Near uniform S is twice the divergence,
    so the interval holds the divergences t that lie within 1.96 of their own standard errors from the estimate, as
    Wilson's does for shares.
    """
    samples, modes = int(counts.sum()), int((counts > 0).sum())
    reachable = float((1 - (1 - expected) ** samples).sum())
    expected_bias = sampled_divergence(samples, expected).mean - divergence_from_uniform(expected)
    bias = expected_bias * (modes - 1) / (reachable - 1) if reachable > 1 else 0.0
    divergence = divergence_from_uniform(counts / samples) - bias
    shares = counts[counts > 0] / samples
    logs = np.log(shares)
    spread = max(float((shares * logs**2).sum() - (shares * logs).sum() ** 2) - (modes - 1) / samples, 0.0)
    second_order = (modes - 1) / (2 * samples**2)
    # Seen from uniform over the modes that were reached, the only place where the first order vanishes.
    shift = math.log(len(counts) / modes)
    beyond = divergence - shift
    slope = spread / (samples * beyond) if beyond > 3 * math.sqrt(second_order) else 2 / samples
    low, high = distance_interval(beyond, slope, second_order)
    stderr = math.sqrt(spread / samples + second_order)
    return Population(divergence, stderr, (low + shift, high + shift))


def count_stderr(counts: Counts, at_least: int) -> float:
    """Jackknife standard error of the number of modes with `at_least` samples or more.

    Leaving out one sample changes the number only where a mode has exactly `at_least`.
    """
    samples = int(counts.sum())
    critical = at_least * int((counts == at_least).sum()) / samples
    return math.sqrt(max(samples - 1, 0) * critical * (1 - critical))


def count_influence(assigned: Counts, counts: Counts, at_least: int) -> Shares:
    """Influence of each sample on that number, by leaving it out: (n,), with the number's variance `var / n`."""
    critical = np.isin(assigned, np.flatnonzero(counts == at_least))
    return critical.astype(np.float64) * len(assigned)


def divergence_influence(assigned: Counts, counts: Counts) -> Shares:
    """Influence of each sample on the divergence of the modes' shares from uniform: (n,), 0 for a sample in none."""
    counted = int(counts.sum())
    logs = np.log(np.maximum(counts, 1) / counted)
    centred = logs - float(counts @ logs) / counted
    influence = np.where(assigned == NOWHERE, 0.0, centred[assigned]) * (len(assigned) / counted)
    return influence.astype(np.float64)


def half_divergences(assigned: Counts, total: int) -> Shares:
    """Mean divergence of the two halves of each of 15 orthogonal splits of the samples, (15,); none of very few.

    Its variance is the part of second order of that of the whole; see `gandiag.statistics.split_halves`.
    """
    from gandiag.statistics.grouped_moments import group_of

    members = group_of(0, len(assigned), GROUPS).numpy()
    counts = np.stack([mode_counts(assigned[members == group], total) for group in range(GROUPS)])
    means = []
    for split in range(1, GROUPS):
        side = np.array([(group & split).bit_count() % 2 == 0 for group in range(GROUPS)])
        halves = [counts[side].sum(axis=0), counts[~side].sum(axis=0)]
        if min(half.sum() for half in halves) == 0:
            return np.zeros(0)
        means.append(sum(divergence_from_uniform(half / half.sum()) for half in halves) / 2)
    return np.array(means)
