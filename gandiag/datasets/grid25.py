"""Grid of 25 Gaussians in the plane: spacing 2, standard deviation 0.05 (Lin et al., 2018, arXiv 1712.04086)."""

from __future__ import annotations

import numpy as np

from gandiag.core.protocols import DatasetOptions
from gandiag.datasets._mixture import MixtureDataset, mixture_dataset


def load(options: DatasetOptions) -> MixtureDataset:
    """Points (2,) of 25 equal modes at (-4, -2, 0, 2, 4) squared."""
    axis = np.arange(-4.0, 5.0, 2.0)
    centres = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return mixture_dataset("grid25", centres, 0.05, options)
