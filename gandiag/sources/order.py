"""The order in which stored samples are read: one rule, so that the same images are the same samples in every form."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gandiag.core import seeds


def fair_order(count: int) -> npt.NDArray[np.int64]:
    """A fixed permutation of `count` rows, or files by name: they may be by class, and a prefix must be fair."""
    return np.asarray(seeds.generator(0, "order").permutation(count), dtype=np.int64)
