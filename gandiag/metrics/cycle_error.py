"""Cycle error: how far an image is from itself after a model and the model back, `mean |x - G2(G1(x))|`.

The cycle consistency of CycleGAN (Zhu et al., 2017, arXiv 1703.10593), on images as they would be saved: G1's images
are rounded to 8 bits before G2 gets them, so that nothing is handed over in differences that nobody sees (Chu et al.,
2017, arXiv 1712.02950).
"""

from __future__ import annotations

import numpy as np

from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.pairs import absolute_errors, ends, mean_error, pairs_of


def cycle_error(
    *,
    fake: FeatureBank,
    real: FeatureBank | None = None,
    rng: np.random.Generator | None = None,
) -> dict[str, Score]:
    """Mean absolute difference of the inputs and what comes back, from 0 to 1; lower is better.

    Args:
        fake: `inputs` and `cycled`, uint8 (n, C, H, W), pair by pair.
        real: not used; the score looks at the two models alone.
        rng: not used; nothing is drawn.

    Returns:
        `cycle_error`, with the standard error over the images; `details["worst"]` and `["best"]` name them. Two models
        that change nothing have 0.

    Raises:
        InputError: the bank lacks inputs or what came back, or they are of other shapes.
    """
    values = absolute_errors(*pairs_of(fake, "inputs", "cycled"))
    count = len(values)
    if not count:
        return {"cycle_error": undefined("there are no inputs", better="lower", n_real=None, n_fake=count)}
    stderr, method = mean_error(values)
    return {
        "cycle_error": measured(
            float(values.mean()),
            stderr=stderr,
            error_method=method,
            better="lower",
            limits=(0.0, 1.0),
            n_real=None,
            n_fake=count,
            details=ends(values, higher_is_better=False),
        )
    }


METRIC = Metric(
    compute=cycle_error,
    scores={"cycle_error": "lower"},
    heads=frozenset({"inputs", "cycled"}),
    real_heads=frozenset(),
    minimum_samples=1,
    images_only=True,
)
