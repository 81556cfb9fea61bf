from __future__ import annotations

import pytest

from gandiag.comparison.holm import holm


def test_the_textbook_example():
    # 0.01, 0.02, 0.03, 0.04 of four tests: 4 * 0.01, then max(0.04, 3 * 0.02), then max(0.06, 2 * 0.03), ...
    assert holm([0.01, 0.04, 0.03, 0.02]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    # multipletests([0.001, 0.2, 0.012, 0.5], method="holm") of statsmodels
    assert holm([0.001, 0.2, 0.012, 0.5]) == pytest.approx([0.004, 0.4, 0.036, 0.5])


def test_none_and_one_and_large_ones():
    assert holm([]) == []
    assert holm([0.03]) == [0.03]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.0, 1.0]) == [0.0, 1.0]
