"""The Frechet distance of 2048 features: from moments of full rank, and from fewer samples than dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from torch import Tensor

from gandiag.statistics.frechet import frechet_distance, frechet_distance_of_features
from gandiag.statistics.moments import Moments, moments
from work.data import WIDTH, sides
from work.model import Case, Pair, Side, Work


@dataclass(frozen=True)
class Gaussians:
    """Moments of both sides, and the same memory as peers take it."""

    real: Moments
    fake: Moments
    covariances: tuple[npt.NDArray[Any], npt.NDArray[Any]]


def full(quick: bool) -> Work:
    """From the same means and covariances."""
    width, count = (256, 500) if quick else (WIDTH, 4000)
    return Work(
        name="frechet-full",
        title="Frechet distance from moments",
        cases=(Case(f"d={width:,}, N={count:,}", lambda: _gaussians(count, width)),),
        sides=(
            Side("gandiag", lambda data: frechet_distance(real=data.real, fake=data.fake).distance),
            Side("torch-fidelity", _fidelity_of_moments, needs=("torch_fidelity",)),
            Side("pytorch-fid", _pytorch_fid, needs=("pytorch_fid",)),
        ),
        pairs=(
            Pair("gandiag", "torch-fidelity", faster=10, tolerance=1e-9),
            Pair("gandiag", "pytorch-fid", tolerance=1e-6),
        ),
        repeats=3,
    )


def few(quick: bool) -> Work:
    """From features of fewer samples than dimensions, where covariances lack full rank."""
    width, count = (256, 120) if quick else (WIDTH, 1000)
    return Work(
        name="frechet-few",
        title="Frechet distance from few features",
        cases=(Case(f"d={width:,}, N={count:,}", lambda: sides(count, width=width)),),
        sides=(
            Side("gandiag", _gandiag_of_features),
            Side("torch-fidelity", _fidelity_of_features, needs=("torch_fidelity",)),
        ),
        # The peer takes the roots of eigenvalues that are 0 but for rounding: it is off by about 1e-6 of the distance.
        pairs=(Pair("gandiag", "torch-fidelity", faster=12, tolerance=1e-4),),
        repeats=3,
    )


def _gaussians(count: int, width: int) -> Gaussians:
    real, fake = (moments(rows) for rows in sides(count, width=width))
    return Gaussians(real, fake, (real.covariance.numpy(), fake.covariance.numpy()))


def _fidelity_of_moments(data: Gaussians) -> float:
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    means = data.real.mean.numpy(), data.fake.mean.numpy()
    given = [{"mu": mean, "sigma": sigma} for mean, sigma in zip(means, data.covariances, strict=True)]
    return float(fid_statistics_to_metric(*given, verbose=False)[KEY_METRIC_FID])


def _pytorch_fid(data: Gaussians) -> float:
    import warnings

    from pytorch_fid.fid_score import calculate_frechet_distance

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy's, of an argument that it will no longer take
        real, fake = data.covariances
        return float(calculate_frechet_distance(data.real.mean.numpy(), real, data.fake.mean.numpy(), fake))


def _gandiag_of_features(data: tuple[Tensor, Tensor]) -> float:
    return frechet_distance_of_features(real=data[0], fake=data[1]).distance


def _fidelity_of_features(data: tuple[Tensor, Tensor]) -> float:
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    given = [fid_features_to_statistics(side) for side in data]
    return float(fid_statistics_to_metric(*given, verbose=False)[KEY_METRIC_FID])
