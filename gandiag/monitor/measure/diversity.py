"""How varied the fakes are beside the real samples, from the batches that the loop makes anyway."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gandiag.monitor.measure.confidence import Array

SIDE = 32  # images are pooled to this at most
WIDTH = 3072  # and what is no image to so many numbers
SAMPLES = 512  # a side has so many at most
CPU_SAMPLES = 256  # and so many on a CPU, where a measurement costs four times less for it
LEAST = 8
MOST_BATCHES = 16
KERNEL_SAMPLES = 128
NEIGHBOUR = 5
SAME = 1e-10  # squared distance, relative to the mean one, below which two real samples are the same


def pooled(samples: Tensor) -> Tensor:
    """A small copy of samples (n, ...) as float32 rows: images averaged to 32x32, other things to 3,072 numbers."""
    samples = samples.detach()
    if samples.ndim == 4 and max(samples.shape[2:]) > SIDE:
        size = (min(samples.shape[2], SIDE), min(samples.shape[3], SIDE))
        samples = functional.adaptive_avg_pool2d(samples.float(), size)
    rows = samples.flatten(1) if samples.ndim > 1 else samples.unsqueeze(1)
    if rows.shape[1] > WIDTH:
        rows = functional.adaptive_avg_pool1d(rows.float().unsqueeze(1), WIDTH).squeeze(1)
    return rows.to(torch.float32, copy=True)


class Collector:
    """The last samples of each side, pooled, as many as a measurement takes."""

    def __init__(self) -> None:
        self._rows: dict[str, deque[Tensor]] = {"real": deque(), "fake": deque()}
        self.wanted, self.batch = SAMPLES, 1  # until the first batch is seen

    def add(self, side: str, samples: Tensor) -> None:
        """Keep samples (n, ...), `real` or `fake` ones."""
        rows = self._rows[side]
        self.wanted = CPU_SAMPLES if samples.device.type == "cpu" else SAMPLES
        new = pooled(samples[: self.wanted])
        if rows and (rows[0].shape[1] != new.shape[1] or rows[0].device != new.device):
            rows.clear()
        self.batch = max(1, len(new))
        rows.append(new)
        while len(rows) > 1 and sum(map(len, rows)) - len(rows[0]) >= self.wanted:
            rows.popleft()

    def full(self, side: str) -> bool:
        """Whether there are as many samples of a side as a measurement takes."""
        return sum(map(len, self._rows[side])) >= self.wanted

    @property
    def batches(self) -> int:
        """How many batches a measurement takes."""
        return min(-(-self.wanted // self.batch), MOST_BATCHES)

    def take(self) -> tuple[Tensor, Tensor] | None:
        """As many samples of each side, real ones first, or None where there are too few; begins anew."""
        sides = [torch.cat(list(rows))[-self.wanted :] for rows in self._rows.values() if rows]
        for rows in self._rows.values():
            rows.clear()
        if len(sides) < 2 or sides[0].shape[1] != sides[1].shape[1]:
            return None
        least = min(map(len, sides))
        return (sides[0][-least:], sides[1][-least:]) if least >= LEAST else None


def diversity(*, real: Tensor, fake: Tensor) -> tuple[Tensor, ...]:
    """Measure rows (n, d), as many of each side, without waiting for the device.

    Returns:
        Four ratios, NaN where undefined: of total variance, of mean pairwise distance, of median distance to the
        nearest neighbour, and coverage with the fifth neighbour (arXiv:2002.09797). Then the squared distances among
        the first 128 of each side, from which `vendi_ratio` follows on the host, and the median real distance.
    """
    with torch.no_grad(), torch.autocast(real.device.type, enabled=False):
        centre = real.mean(dim=0)
        real, fake = real - centre, fake - centre
        variance = fake.var(dim=0).sum() / real.var(dim=0).sum()
        among_real, among_fake, across = (
            _squared_distances(a, b) for a, b in ((real, real), (fake, fake), (real, fake))
        )
        count = len(real)
        pairs = count * (count - 1)
        real_distances, fake_distances = among_real.sqrt(), among_fake.sqrt()
        pairwise = fake_distances.sum() / real_distances.sum()
        diagonal = torch.eye(count, dtype=torch.bool, device=real.device)
        infinite = torch.tensor(torch.inf, device=real.device, dtype=among_real.dtype)
        # A real sample that was drawn before counts once: its neighbour would be itself.
        same = among_real <= SAME * among_real.sum() / pairs
        drawn_before = (same & diagonal.logical_not()).tril().any(dim=1)
        near_real = torch.where(diagonal | drawn_before, infinite, real_distances).amin(dim=1)
        near_real = torch.where(drawn_before | near_real.isinf(), torch.nan, near_real)
        near_fake = torch.where(diagonal, infinite, fake_distances).amin(dim=1)
        neighbour = near_fake.median() / near_real.nanmedian()
        enough = 2 * drawn_before.sum() <= count
        neighbour = torch.where(enough, neighbour, torch.nan)
        # The sample itself is the first of the sorted distances.
        radius = among_real.kthvalue(min(NEIGHBOUR, count - 1) + 1, dim=1).values
        coverage = (across.amin(dim=1) <= radius).to(variance.dtype).mean()
        ratios = torch.stack([value.to(torch.float32) for value in (variance, pairwise, neighbour, coverage)])
        middle = torch.where(diagonal, torch.nan, real_distances).flatten().nanmedian()
        few = min(count, KERNEL_SAMPLES)
        return ratios, among_real[:few, :few], among_fake[:few, :few], middle.reshape(1)


def vendi_ratio(*, real: Array, fake: Array, scale: float) -> float | None:
    """Vendi score (arXiv:2210.02410) of the fakes over that of the real samples, from their squared distances (n, n).

    The kernel is Gaussian, with a quarter of the median real distance, `scale`, as standard deviation.
    """
    if not (scale > 0 and np.isfinite(scale) and np.isfinite(real).all() and np.isfinite(fake).all()):
        return None
    scores = []
    for distances in (real, fake):
        kernel = np.exp(-distances / (2 * (scale / 4) ** 2))
        shares = np.linalg.eigvalsh((kernel + kernel.T) / (2 * len(kernel)))
        shares = shares[shares > 1e-12]
        scores.append(np.exp(-(shares * np.log(shares)).sum()))
    return float(scores[1] / scores[0])


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances; not by a product on a GPU, where that may be in TF32, and in float64 on a CPU."""
    if a.device.type != "cpu":
        return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()
    same = a is b
    a, b = a.double(), b.double()
    squares = a.square().sum(dim=1, keepdim=True) - 2 * a @ b.T + b.square().sum(dim=1)
    squares = squares.clamp_min_(0)
    return squares.fill_diagonal_(0) if same else squares
