"""Feature likelihood divergence: how likely held-out real samples are around the fakes, relative to real samples.

A Gaussian is put around each fake, its variance fitted to the training samples; `fld` is the negative log-likelihood of
held-out real samples under their mean, a dimension, over that of Gaussians around training samples, times 100
(Jiralerspong et al., 2023, arXiv 2302.04440). Fakes that copy training samples get Gaussians of no width, which explain
nothing that was held out: it sees fidelity, diversity and novelty at once.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.errors import InputError
from gandiag.core.score import Better, Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics.content_order import content_order
from gandiag.statistics.feature_bank import FeatureBank, features_of
from gandiag.statistics.gaussian_mixture import Likelihood, fit_mixture, likelihood

SMALLEST = 4  # training samples: two to stand for fakes and two to fit them to
SCALE = 100.0
UNBOUNDED = 1e4  # nats a dimension, which no spread of real samples gives
SCORES: dict[str, Better | None] = {"fld": "lower", "fld_gap": "higher"}


def fld(
    *,
    real: FeatureBank,
    fake: FeatureBank | Tensor,
    rng: np.random.Generator | None = None,
    baseline_nll: float | None = None,
) -> dict[str, Score]:
    """Feature likelihood divergence and its generalisation gap.

    Args:
        real: features (n, d) of the training samples, and others in `held_out`.
        fake: features (m, d).
        rng: splits the training samples into the half that stands for fakes and the half that they are fitted to.
        baseline_nll: negative log-likelihood a dimension to compare with, in place of that of training samples.

    Returns:
        `fld`: 100 (nll of the held-out samples around the fakes - the same around half of the training samples), in
        nats a dimension; about 0 for fakes as good as real samples, lower is better. The baseline has at most half as
        many centres as there are training samples, so more fakes than that can score below 0.
        `fld_gap`: 100 (nll of the training samples - nll of the held-out samples), about 0 for a generator that knows
        no sample of either, far below 0 for one that copies the training samples. It is never read alone: a
        generator of noise has no gap. The variances, which are fitted to the training samples, put it below 0 by about
        the inverse of the samples a variance.

    The error bar covers the draw of the held-out samples and, by the jackknife with the variances held, that of the
    fakes and of the baseline's half. It does not cover the draw of the training samples. Both scores depend on the
    numbers of samples. Each dimension is scaled by the held-out samples' mean and standard deviation.

    Raises:
        InputError: a side holds no features, nothing is held out, or the dimensions differ.
    """
    train, fakes = features_of(real), features_of(fake)
    if real.held_out is None:
        raise InputError("fld needs real samples that are held out, and the reference has none")
    held_out = features_of(real.held_out)
    if len({train.shape[1], fakes.shape[1], held_out.shape[1]}) > 1:
        raise InputError(f"real features have {train.shape[1]} dimensions and fake ones {fakes.shape[1]}")
    n_real, n_fake = len(train), len(fakes)
    reason = _why_not(train, fakes, held_out)
    if reason:
        return {name: undefined(reason, better=better, n_real=n_real, n_fake=n_fake) for name, better in SCORES.items()}
    rng = rng or seeds.generator(0, "fld")
    train, held_out, fakes = _scaled(train, held_out, fakes)
    dimension = held_out.shape[1]
    mixture = fit_mixture(fakes, train)
    on_held_out, on_train = likelihood(mixture, held_out), likelihood(mixture, train)
    nll = -float(on_held_out.log.mean()) / dimension
    order = content_order(train, rng.bytes(16))
    size = min(n_fake, n_real // 2)
    baseline: Likelihood | None = None
    if baseline_nll is None:
        baseline = likelihood(fit_mixture(train[order[:size]], train[order[size:]]), held_out)
        baseline_nll = -float(baseline.log.mean()) / dimension
    unit = SCALE / dimension
    nll_on_train = -float(on_train.log.mean()) / dimension
    gap = nll_on_train - nll
    gap_variance = _mean_variance(on_train.log) + _mean_variance(on_held_out.log) + on_held_out.jackknife_variance
    copied = "the fakes are copies of training samples, around which the likelihood has no bound"
    unbounded = copied if abs(nll) > UNBOUNDED else None
    details = {"nll": nll, "baseline_nll": baseline_nll, "baseline_samples": size, "held_out": len(held_out)}
    return {
        "fld": measured(
            SCALE * (nll - baseline_nll),
            stderr=unit * math.sqrt(_variance(on_held_out, baseline)),
            error_method="jackknife",
            better="lower",
            n_real=n_real,
            n_fake=n_fake,
            unreliable=unbounded,
            details=details,
        ),
        "fld_gap": measured(
            SCALE * gap,
            stderr=unit * math.sqrt(gap_variance),
            error_method="jackknife",
            better="higher",
            n_real=n_real,
            n_fake=n_fake,
            unreliable=unbounded,
            details={"nll_on_train": nll_on_train, "nll_on_held_out": nll},
        ),
    }


def _why_not(train: Tensor, fakes: Tensor, held_out: Tensor) -> str | None:
    for name, rows, smallest in (("training", train, SMALLEST), ("generated", fakes, 2), ("held-out", held_out, 2)):
        if len(rows) < smallest:
            return f"{len(rows)} {name} samples are too few; {smallest} or more"
    if bool((held_out == held_out[0]).all()):
        return "the held-out samples are all the same: they set no scale"
    return None


def _scaled(train: Tensor, held_out: Tensor, fakes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All sides in units of the held-out samples' deviation; a dimension that is constant there keeps its own unit."""
    rows = held_out.double()
    mean, deviation = rows.mean(dim=0), rows.std(dim=0)
    deviation = torch.where((held_out == held_out[0]).all(dim=0), 1.0, deviation)
    scaled = [((side.to(rows.device).double() - mean) / deviation).float() for side in (train, held_out, fakes)]
    return scaled[0], scaled[1], scaled[2]


def _variance(around_fakes: Likelihood, around_train: Likelihood | None) -> float:
    """Of the mean log-likelihood ratio: the held-out samples are the same on both sides, and their pairs are kept."""
    if around_train is None:
        return _mean_variance(around_fakes.log) + around_fakes.jackknife_variance
    paired = _mean_variance(around_fakes.log - around_train.log)
    return paired + around_fakes.jackknife_variance + around_train.jackknife_variance


def _mean_variance(values: Tensor) -> float:
    return float(values.var()) / len(values)


METRIC = Metric(
    compute=fld,
    scores=SCORES,
    heads=frozenset({"features"}),
    minimum_samples=SMALLEST,
    maximum_samples=10_000,
    needs_held_out=True,
    version=2,
)
