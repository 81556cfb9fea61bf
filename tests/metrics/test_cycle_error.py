"""What is lost on the way there and back."""

from __future__ import annotations

import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.cycle_error import cycle_error
from gandiag.statistics.feature_bank import FeatureBank


def score(inputs, cycled):
    return cycle_error(fake=FeatureBank(inputs=inputs, cycled=cycled))["cycle_error"]


def flat(*values):
    return torch.tensor(values, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 5, 5)


def test_by_hand():
    found = score(flat(0, 100, 255), flat(51, 100, 204))
    assert found.value == pytest.approx((0.2 + 0 + 0.2) / 3)
    assert found.stderr == pytest.approx(torch.tensor([0.2, 0, 0.2]).std().item() / 3**0.5)
    assert found.better == "lower"
    assert found.details["best"][0] == {"index": 1, "value": 0}
    assert {each["index"] for each in found.details["worst"][:2]} == {0, 2}


def test_what_comes_back_whole_has_0_and_a_negative_of_black_has_1():
    assert score(flat(3, 200), flat(3, 200)).value == 0
    assert score(flat(0, 0), flat(255, 255)).value == 1


def test_what_is_missing_is_said():
    with pytest.raises(InputError, match="cycled"):
        cycle_error(fake=FeatureBank(inputs=flat(1)))
    assert score(flat(1)[:0], flat(1)[:0]).status == "undefined"
