"""Structural similarity of what an image-to-image model makes and the images that are wanted.

Wang, Bovik, Sheikh and Simoncelli, 2004: Gaussian windows of 11 x 11 pixels with a deviation of 1.5 inside the image,
k1 = 0.01, k2 = 0.03, on 8 bits; the mean over windows and channels. The score is the mean over the pairs.
"""

from __future__ import annotations

import numpy as np

from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics.feature_bank import FeatureBank, in_memory
from gandiag.statistics.pairs import by_pair, ends, enlarged, mean_error, pairs_of
from gandiag.statistics.ssim import WINDOW, single_scale_ssim

PARAMS = {"window": WINDOW, "sigma": 1.5, "k1": 0.01, "k2": 0.03}


def ssim(
    *,
    fake: FeatureBank,
    real: FeatureBank | None = None,
    rng: np.random.Generator | None = None,
) -> dict[str, Score]:
    """Mean SSIM of pairs, up to 1, which identical images have; higher is better.

    Args:
        fake: `images` and `targets`, uint8 (n, C, H, W), pair by pair; of super-resolution the `inputs` too.
        real: not used; the targets go with the samples.
        rng: not used; nothing is drawn.

    Returns:
        `ssim`, with the standard error over the pairs; undefined for images of less than 11 pixels a side. The channels
        of colour images are averaged. `details["worst"]` and `["best"]` name pairs; where the targets are a whole
        number of times larger than the inputs, `["bicubic"]`, `["over_bicubic"]` and `["over_bicubic_stderr"]` say
        what bicubic interpolation reaches, and the mean gain over it.

    Raises:
        InputError: the bank lacks images or targets, or they are of other shapes.
    """
    images, targets = pairs_of(fake, "images", "targets")
    count, (height, width) = len(images), images.shape[2:]
    reason = None
    if count == 0:
        reason = "there are no pairs"
    elif min(height, width) < WINDOW:
        reason = f"images of {width} x {height} pixels do not hold a window of {WINDOW} x {WINDOW}"
    if reason:
        return {"ssim": undefined(reason, better="higher", n_real=None, n_fake=count, params=PARAMS)}
    values = by_pair(single_scale_ssim, images, targets)
    stderr, method = mean_error(values)
    details = ends(values, higher_is_better=True)
    baseline = None
    if fake.inputs is not None:
        baseline = enlarged(in_memory(fake.inputs).to(targets.device), tuple(targets.shape[1:]))
    if baseline is not None:
        reached = by_pair(single_scale_ssim, baseline, targets)
        gains = values - reached
        details |= {"bicubic": float(reached.mean()), "over_bicubic": float(gains.mean())}
        details |= {"over_bicubic_stderr": mean_error(gains)[0]}
    return {
        "ssim": measured(
            float(values.mean()),
            stderr=stderr,
            error_method=method,
            better="higher",
            limits=(-1.0, 1.0),
            n_real=None,
            n_fake=count,
            params=PARAMS,
            details=details,
        )
    }


METRIC = Metric(
    compute=ssim,
    scores={"ssim": "higher"},
    heads=frozenset({"images", "targets"}),
    real_heads=frozenset(),
    minimum_samples=1,
    images_only=True,
)
