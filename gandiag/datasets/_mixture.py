"""Gaussian mixtures in the plane, drawn without end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.fingerprint import fingerprint
from gandiag.core.modes import MixtureModes
from gandiag.core.protocols import DatasetOptions, SourceInfo
from gandiag.datasets._stored import check_split


@dataclass(frozen=True)
class MixtureDataset:
    """Points float32 (d,) of an equal mixture; point i is a function of (seed, i)."""

    info: SourceInfo
    modes: MixtureModes
    seed: int
    extractor: str = "pixels"
    samples: int = 2_500  # VEEGAN's and PacGAN's number

    def labels(self, start: int, stop: int) -> Tensor:
        drawn = seeds.integers(self.seed, f"{self.info.dataset}/labels", start, stop, 1, self.modes.count)
        return torch.from_numpy(drawn[:, 0])

    def read(self, start: int, stop: int) -> Tensor:
        width = self.modes.centres.shape[1]
        noise = seeds.normal(self.seed, f"{self.info.dataset}/noise", start, stop, width)
        points = self.modes.centres[self.labels(start, stop).numpy()] + self.modes.deviation * noise
        return torch.from_numpy(points).float()


def mixture_dataset(
    name: str, centres: npt.NDArray[np.float64], deviation: float, options: DatasetOptions
) -> MixtureDataset:
    """The mixture as a dataset; it has one split, since every draw is fresh."""
    check_split(name, options, ("train",))
    modes = MixtureModes(centres, deviation)
    identity = {"dataset": name, "centres": centres.tolist(), "deviation": deviation, "seed": options.seed}
    info = SourceInfo(
        name=name,
        kind="dataset",
        shape=(centres.shape[1],),
        quantisation="none",
        sha256=fingerprint(identity),
        dataset=name,
    )
    return MixtureDataset(info, modes, options.seed)
