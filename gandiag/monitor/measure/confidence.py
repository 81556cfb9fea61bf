"""What the discriminator's scores say, in numbers that mean the same whatever the loss."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
LossKind = Literal["bce", "probability", "lsgan", "hinge", "wgan", "relativistic", "unknown"]
SURE = 0.99  # confidence from which on the loss of a discriminator is flat
LOGIT = float(np.log(SURE / (1 - SURE)))


def auc(*, real: Array, fake: Array) -> float:
    """Probability that a real sample scores above a fake, ties counted half."""
    ordered = np.sort(fake)
    below = np.searchsorted(ordered, real, "left") + np.searchsorted(ordered, real, "right")
    return float(below.mean() / (2 * len(fake)))


def d_prime(*, real: Array, fake: Array) -> float | None:
    """Difference of the means over the root of the mean unbiased variance; None where there is no spread."""
    if len(real) < 2 or len(fake) < 2:
        return None
    spread = np.sqrt((real.var(ddof=1) + fake.var(ddof=1)) / 2)
    return float((real.mean() - fake.mean()) / spread) if spread > 0 else None


def confidence(kind: LossKind, scores: Array, labels: tuple[float, float]) -> float | None:
    """Mean probability of being real that scores stand for, 0 to 1; None where the loss gives scores no such meaning.

    The sigmoid of a logit; a probability as it is; for least squares the place between the labels of fake and real,
    which is the optimal discriminator's probability (arXiv:1611.04076); for the hinge the place between the margins.
    """
    match kind:
        case "bce":
            return float(np.mean(1 / (1 + np.exp(-np.clip(scores, -80, 80)))))
        case "probability":
            return float(scores.mean())
        case "lsgan" | "hinge":
            low, high = (-1.0, 1.0) if kind == "hinge" else labels
            return float(np.clip((scores - low) / (high - low), 0, 1).mean())
        case _:
            return None


def saturation(kind: LossKind, *, real: Array, fake: Array) -> float | None:
    """Share of the scores at which the discriminator's loss is flat; None where it is flat nowhere, or unknown."""
    match kind:
        case "bce":
            flat = (real > LOGIT).sum() + (fake < -LOGIT).sum()
        case "probability":
            flat = (real > SURE).sum() + (fake < 1 - SURE).sum()
        case "hinge":
            flat = (real > 1).sum() + (fake < -1).sum()
        case _:
            return None
    return float(flat / (len(real) + len(fake)))
