"""Which loss a loop uses, told from the derivative of its loss by the discriminator's output, sample by sample.

With respect to the output s, a cross entropy of logits has the derivative a + b sigmoid(s), a cross entropy of
probabilities a / s + b / (1 - s), least squares a + b s, and hinge and Wasserstein losses a constant, the hinge with
zeros beyond its margin. The two coefficients leave weights, means or sums, loss scaling and label smoothing free.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gandiag.monitor.measure.confidence import Array, LossKind

FIT = 1e-3  # largest error of a fit, relative to the derivatives
CLEAR = 10.0  # how many times better the best fit must be than the next
SMOOTH = 0.3  # how far beyond 0 and 1 a label may lie
SAMPLES = 8  # samples that a fit of two coefficients takes at least


@dataclass
class Evidence:
    """What has been seen of one discriminator's loss.

    Attributes:
        kind: the loss, once it is known.
        labels: of fake and real, for least squares.
        phases: how many were looked at.
    """

    kind: LossKind = "unknown"
    labels: tuple[float, float] = (0.0, 1.0)
    phases: int = 0
    _constant: int = 0
    _beyond: int = 0
    _low: float = np.inf
    _high: float = -np.inf
    _label: dict[str, float] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether more evidence would change nothing."""
        return self.kind in ("bce", "probability", "hinge", "relativistic") or len(self._label) == 2

    def add(self, side: str, scores: Array, slopes: Array) -> None:
        """Take outputs and the loss's derivatives by them, of `real` or `fake` samples or the `generator`'s phase."""
        good = np.isfinite(scores) & np.isfinite(slopes)
        scores, slopes = scores[good].astype(np.float64), slopes[good].astype(np.float64)
        if not len(scores):
            return
        self.phases += 1
        self._low, self._high = min(self._low, float(scores.min())), max(self._high, float(scores.max()))
        shape = family(scores, slopes, unit=self._low >= 0 and self._high <= 1)
        if shape is None:
            return
        name, offset, rise = shape
        if name == "hinge" and side != "generator":
            self.kind = "hinge"
        elif name == "constant" and self.kind == "unknown":
            beyond = scores > 1.0 if side == "real" else scores < -1.0
            self._constant += 1
            self._beyond += int(beyond.any()) if side != "generator" else 0
            # A hinge would have been flat there; before that the two look alike.
            self.kind = "wgan" if self._beyond else "unknown"
        elif name == "bce" and not -SMOOTH <= -offset / rise <= 1 + SMOOTH:
            self.kind = "relativistic"  # the other side's outputs add to the offset, so that no label explains it
        elif name in ("bce", "probability"):
            self.kind = "bce" if name == "bce" else "probability"
        elif name == "lsgan" and self.kind in ("unknown", "lsgan"):
            self.kind = "lsgan"
            if side in ("real", "fake") and rise != 0:
                self._label[side] = -offset / rise
            if len(self._label) == 2 and self._label["real"] != self._label["fake"]:
                self.labels = (self._label["fake"], self._label["real"])


def family(scores: Array, slopes: Array, *, unit: bool) -> tuple[str, float, float] | None:
    """The family of losses whose derivatives these are, with its two coefficients; None where it is not clear.

    Args:
        scores: outputs of the discriminator.
        slopes: derivatives of the loss by them.
        unit: whether all outputs so far lie between 0 and 1, so that they may be probabilities.
    """
    size = float(np.abs(slopes).max())
    if size == 0 or len(scores) < SAMPLES:
        return None
    slopes = slopes / size
    steep = np.abs(slopes) > 1e-6
    if np.ptp(slopes[steep]) < 1e-4:
        if steep.all():
            return "constant", size, 0.0
        return ("hinge", size, 0.0) if _beyond_a_margin(scores, steep) else None
    ones = np.ones_like(scores)
    candidates = {
        "bce": np.stack([ones, 1 / (1 + np.exp(-np.clip(scores, -80, 80)))]),
        "lsgan": np.stack([ones, scores]),
    }
    if unit:
        inner = np.clip(scores, 1e-12, 1 - 1e-7)
        candidates["probability"] = np.stack([1 / inner, 1 / (1 - inner)])
    fits = sorted((_fit(columns, slopes), name) for name, columns in candidates.items())
    (error, coefficients), name = fits[0]
    if error > FIT or error * CLEAR > fits[1][0][0]:
        return None
    return name, coefficients[0] * size, coefficients[1] * size


def _beyond_a_margin(scores: Array, steep: npt.NDArray[np.bool_]) -> bool:
    """Whether the flat samples are those beyond a margin of 1."""
    flat, rest = scores[~steep], scores[steep]
    above = flat.min() >= 1 - 1e-3 and rest.max() <= 1 + 1e-3
    below = flat.max() <= -1 + 1e-3 and rest.min() >= -1 - 1e-3
    return bool(above or below)


def _fit(columns: Array, slopes: Array) -> tuple[float, tuple[float, float]]:
    scale = np.abs(columns).max(axis=1, keepdims=True)
    solution, *_ = np.linalg.lstsq((columns / scale).T, slopes, rcond=None)
    error = float(np.sqrt(np.mean((solution @ (columns / scale) - slopes) ** 2) / np.mean(slopes**2)))
    first, second = (solution / scale[:, 0]).tolist()
    return error, (first, second)
