from __future__ import annotations

import numpy as np
import pytest

from gandiag.core.modes import ClassModes, MixtureModes


def test_class_modes_are_products_of_independent_channels():
    shares = np.array([0.5, 0.3, 0.2])
    modes = ClassModes(shares, channels=3)
    assert modes.count == 27
    probabilities = modes.probabilities()
    for a, b, c in np.ndindex(3, 3, 3):
        index = (a * 3 + b) * 3 + c
        assert probabilities[index] == pytest.approx(shares[a] * shares[b] * shares[c], rel=1e-12)
        assert modes.name(index) == f"{a}-{b}-{c}"


def test_mixture_modes_have_equal_shares_and_are_named_by_their_centres():
    modes = MixtureModes(np.array([[1.0, -0.0], [0.7071, -2.0]]), 0.1)
    assert modes.probabilities().tolist() == [0.5, 0.5]
    assert [modes.name(0), modes.name(1)] == ["(1, 0)", "(0.707, -2)"]
