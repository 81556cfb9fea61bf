"""Ring of 8 Gaussians in the plane: radius 1, standard deviation 0.01 (Metz et al., 2017, arXiv 1611.02163)."""

from __future__ import annotations

import numpy as np

from gandiag.core.protocols import DatasetOptions
from gandiag.datasets._mixture import MixtureDataset, mixture_dataset


def load(options: DatasetOptions) -> MixtureDataset:
    """Points (2,) of 8 equal modes."""
    # Both ends of the circle are one point: with them, as in well-known code, two of the eight centres coincide.
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    return mixture_dataset("ring8", np.stack([np.cos(angles), np.sin(angles)], axis=1), 0.01, options)
