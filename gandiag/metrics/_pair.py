"""Features of both sides, checked to be of one kind."""

from __future__ import annotations

from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.statistics.feature_bank import FeatureBank, features_of


def feature_pair(*, real: FeatureBank | Tensor, fake: FeatureBank | Tensor) -> tuple[Tensor, Tensor]:
    """Real and fake features on one device.

    Raises:
        InputError: a side holds no features, or values that are not finite, or the dimensions differ.
    """
    real_features = features_of(real)
    fake_features = features_of(fake).to(real_features.device)
    if real_features.shape[1] != fake_features.shape[1]:
        raise InputError(
            f"real features have {real_features.shape[1]} dimensions and fake ones {fake_features.shape[1]}"
        )
    return real_features, fake_features
