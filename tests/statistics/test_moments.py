from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.core.errors import InputError
from gandiag.statistics.moments import merge, moments


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 60), max_size=6))
def test_any_chunking_gives_numpys_covariance(cuts):
    rows = np.random.default_rng(1).normal(size=(60, 5)) @ np.diag([1, 10, 0.1, 3, 1]) + 7
    parts = np.split(rows, sorted(cuts))  # some are empty
    merged = merge(moments(torch.from_numpy(part)) for part in parts)
    assert merged.count == 60
    np.testing.assert_allclose(merged.mean, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(merged.covariance, np.cov(rows.T), rtol=1e-12, atol=1e-12)


def test_a_large_offset_loses_nothing(normal):
    rows = 1e4 + 1e-2 * normal(20_000, 3)  # more than one chunk
    exact = rows - 1e4  # exact in float64
    found = moments(rows)
    np.testing.assert_allclose(found.covariance, np.cov(exact.numpy().T), rtol=1e-7, atol=1e-12)


def test_float32_features_are_summed_in_float64(normal):
    rows = (100 + normal(5000, 2)).float()
    np.testing.assert_allclose(moments(rows).covariance, np.cov(rows.double().numpy().T), rtol=1e-12, atol=1e-12)


def test_one_sample_has_no_covariance():
    with pytest.raises(InputError, match="2 samples"):
        _ = moments(torch.ones(1, 3)).covariance
    with pytest.raises(InputError, match="no moments"):
        merge([])
