from __future__ import annotations

import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.statistics.feature_bank import FeatureBank, features_of, logits_of


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"features": torch.ones(3)}, "2 dimensions"),
        ({"features": torch.ones(3, 0)}, "2 dimensions"),
        ({"logits": torch.ones(3, 2)}, "3 dimensions"),
        ({"features": torch.ones(3, 2).long()}, "floating"),
        ({"features": torch.tensor([[1.0, float("nan")]])}, "not finite"),
        ({"logits": torch.full((2, 1, 2), float("inf"))}, "not finite"),
        ({"features": torch.ones(3, 2), "logits": torch.ones(4, 1, 2)}, "not of the same samples"),
    ],
)
def test_what_cannot_be_scored_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        FeatureBank(**values)


def test_the_first_samples_are_the_same_samples():
    bank = FeatureBank(torch.arange(6.0).reshape(3, 2), torch.arange(3.0).reshape(3, 1, 1))
    assert len(bank.first(2)) == 2
    assert bank.first(2).features.tolist() == [[0, 1], [2, 3]]
    assert bank.first(2).logits.flatten().tolist() == [0, 1]


def test_a_missing_head_is_an_input_error():
    with pytest.raises(InputError, match="features"):
        features_of(FeatureBank(logits=torch.ones(1, 1, 2)))
    with pytest.raises(InputError, match="logits"):
        logits_of(FeatureBank(features=torch.ones(1, 2)))
