"""Peak signal-to-noise ratio of what an image-to-image model makes, against the images that are wanted.

`10 log10(255^2 / MSE)` of each pair of 8-bit images, the squared error being the mean over pixels and channels; the
score is the mean over the pairs, in decibels.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics.feature_bank import FeatureBank, in_memory
from gandiag.statistics.pairs import decibels, ends, enlarged, mean_error, pairs_of, squared_errors


def psnr(
    *,
    fake: FeatureBank,
    real: FeatureBank | None = None,
    rng: np.random.Generator | None = None,
) -> dict[str, Score]:
    """Mean PSNR of pairs, in decibels; higher is better.

    Args:
        fake: `images` and `targets`, uint8 (n, C, H, W), pair by pair; of super-resolution the `inputs` too.
        real: not used; the targets go with the samples.
        rng: not used; nothing is drawn.

    Returns:
        `psnr`, with the standard error over the pairs. The PSNR of a pair that is identical is infinite: such pairs are
        left out and counted, which makes the score `unreliable`, and `undefined` where there are no others.
        `details["pooled"]` is that of the squared error over all pairs together; `["worst"]` and `["best"]` name pairs;
        where the targets are a whole number of times larger than the inputs, `["bicubic"]` is the PSNR of inputs
        enlarged by bicubic interpolation, `["over_bicubic"]` the mean gain over it and `["over_bicubic_stderr"]` its
        error, over the pairs where both are finite.

    Raises:
        InputError: the bank lacks images or targets, or they are of other shapes.
    """
    images, targets = pairs_of(fake, "images", "targets")
    errors = squared_errors(images, targets)
    values, count = decibels(errors), len(errors)
    finite = torch.isfinite(values)
    identical = int((~finite).sum())
    details = {"identical": identical, **ends(values, higher_is_better=True)}
    if identical == count:
        reason = f"all {count} pairs are identical: their PSNR is infinite" if count else "there are no pairs"
        return {"psnr": undefined(reason, better="higher", n_real=None, n_fake=count, details=details)}
    kept = values[finite]
    stderr, method = mean_error(kept)
    details |= {"pooled": float(decibels(errors.mean()))}
    if fake.inputs is not None:
        details |= _over_bicubic(in_memory(fake.inputs), targets, values)
    unreliable = f"{identical} of {count} pairs are identical, of infinite PSNR, and left out" if identical else None
    return {
        "psnr": measured(
            float(kept.mean()),
            stderr=stderr,
            error_method=method,
            better="higher",
            limits=(0.0, math.inf),
            n_real=None,
            n_fake=count,
            unreliable=unreliable,
            details=details,
        )
    }


def _over_bicubic(inputs: Tensor, targets: Tensor, values: Tensor) -> dict[str, float | None]:
    baseline = enlarged(inputs.to(targets.device), tuple(targets.shape[1:]))
    if baseline is None:
        return {}
    reached = decibels(squared_errors(baseline, targets))
    both = torch.isfinite(reached) & torch.isfinite(values)
    if not bool(both.any()):
        return {}
    gains = values[both] - reached[both]
    return {
        "bicubic": float(reached[torch.isfinite(reached)].mean()),
        "over_bicubic": float(gains.mean()),
        "over_bicubic_stderr": mean_error(gains)[0],
    }


METRIC = Metric(
    compute=psnr,
    scores={"psnr": "higher"},
    heads=frozenset({"images", "targets"}),
    real_heads=frozenset(),
    minimum_samples=1,
    images_only=True,
)
