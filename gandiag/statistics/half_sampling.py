"""Half-sampling without replacement: the spread among random halves is the standard error of the whole.

A half of n without replacement differs from the whole by a variance of (2 - 1) V / n, where V / n is the variance of
the whole itself (Politis, Romano and Wolf, "Subsampling", 1999). Nothing is drawn twice, so neighbours stay
neighbours.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def random_halves(count: int, halves: int, rng: np.random.Generator) -> Tensor:
    """Membership of `count` samples in random halves: bool (halves, count), `count // 2` of them in each."""
    members = torch.zeros(halves, count, dtype=torch.bool)
    for row in members:
        row[torch.from_numpy(rng.permutation(count)[: count // 2])] = True
    return members
