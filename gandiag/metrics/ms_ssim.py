"""Multi-scale structural similarity of pairs of fakes: how alike a generator's images are to each other.

Mean over random pairs, within a class where there are labels (Odena et al., 2017, arXiv 1610.09585; the similarity is
that of Wang et al., 2003). The same of the real images is the yardstick: a collapsed generator is above it, one of
noise below.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.score import Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics.content_order import content_order
from gandiag.statistics.feature_bank import FeatureBank, images_of
from gandiag.statistics.ssim import WINDOW, multi_scale_ssim, scales_of

PAIRS = 1_000


def ms_ssim(
    *,
    fake: FeatureBank,
    real: FeatureBank | None = None,
    rng: np.random.Generator | None = None,
    pairs: int = PAIRS,
) -> dict[str, Score]:
    """Mean MS-SSIM of pairs of fakes; neither direction is better.

    Args:
        fake: images (m, C, H, W), 11 pixels a side or more, and their labels where there are some.
        real: the same of real images, for the yardstick.
        rng: pairs the images; no image is in two pairs, so that the pairs are independent.
        pairs: at most so many.

    Returns:
        `ms_ssim`, 0 to 1, with the standard error over the pairs. It is not biased, and lower is more diverse only down
        to what real images have: `details["real"]`, `["real_stderr"]` and `["difference"]`, which is fake - real.
        Pairs are within a class if both sides have labels, or the fakes have them and there are no real images;
        classes count as often as they come. `details["scales"]` is 5 for images of 176 pixels and more; values with
        other numbers of scales do not compare.

    Raises:
        InputError: the bank holds no images.
    """
    images = images_of(fake)
    count = len(images)
    n_real = len(real) if real is not None and real.images is not None else None
    scales = scales_of(*images.shape[2:]) if images.ndim == 4 else 0
    reason = None
    if scales == 0:
        reason = f"samples of shape {tuple(images.shape[1:])} do not hold a window of {WINDOW} x {WINDOW} pixels"
    labelled = fake.labels is not None and (n_real is None or (real is not None and real.labels is not None))
    rng = rng or seeds.generator(0, "ms_ssim")
    values = torch.empty(0) if reason else _of_pairs(images, fake.labels if labelled else None, pairs, rng)
    if not reason and len(values) < 2:
        reason = f"{count} images make {len(values)} pairs{' within a class' if labelled else ''}; 2 or more"
    params = {"pairs": pairs, "scales": scales, "within_class": labelled}
    if reason:
        return {"ms_ssim": undefined(reason, better=None, n_real=n_real, n_fake=count, params=params)}
    value = float(values.mean())
    details: dict[str, float] = {"pairs": len(values)}
    if real is not None and n_real is not None and images_of(real).shape[1:] == images.shape[1:]:
        details |= _yardstick(_of_pairs(images_of(real), real.labels if labelled else None, pairs, rng), value)
    return {
        "ms_ssim": measured(
            value,
            stderr=float(values.std()) / len(values) ** 0.5,
            error_method="independent pairs",
            better=None,
            limits=(0.0, 1.0),
            n_real=n_real,
            n_fake=count,
            params=params,
            details=details,
        )
    }


def _yardstick(values: Tensor, fake: float) -> dict[str, float]:
    if len(values) < 2:
        return {}
    mean = float(values.mean())
    return {"real": mean, "real_stderr": float(values.std()) / len(values) ** 0.5, "difference": fake - mean}


def _of_pairs(images: Tensor, labels: Tensor | None, pairs: int, rng: np.random.Generator) -> Tensor:
    """Similarity of disjoint random pairs, the same whatever order the images came in."""
    order = content_order(images, rng.bytes(16)).cpu()
    if labels is None:
        left, right = _paired(order)
    else:
        rows = labels.cpu()[order].reshape(len(labels), -1)
        _, classes = torch.unique(rows, dim=0, return_inverse=True)
        found = [_paired(order[classes == index]) for index in range(int(classes.max()) + 1 if len(classes) else 0)]
        left, right = (torch.cat([order[:0], *side]) for side in ([a for a, _ in found], [b for _, b in found]))
        chosen = torch.from_numpy(rng.permutation(len(left)))
        left, right = left[chosen], right[chosen]
    left, right = left[:pairs].to(images.device), right[:pairs].to(images.device)
    return multi_scale_ssim(images[left], images[right]) if len(left) else torch.empty(0, dtype=torch.float64)


def _paired(order: Tensor) -> tuple[Tensor, Tensor]:
    half = len(order) // 2
    return order[:half], order[half : 2 * half]


METRIC = Metric(
    compute=ms_ssim,
    scores={"ms_ssim": None},
    heads=frozenset({"images"}),
    minimum_samples=4,
    maximum_samples=2 * PAIRS,
    images_only=True,
    version=2,
)
