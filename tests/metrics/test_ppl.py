from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.ppl import ppl
from gandiag.statistics.feature_bank import FeatureBank


def score(paths, **options):
    return ppl(fake=FeatureBank(paths=paths), **options)["ppl"]


@pytest.mark.parametrize("count", [2, 7, 100, 101, 5000])
def test_it_discards_as_stylegan_does(normal, count):
    paths = normal(count).exp()
    low, high = (np.percentile(paths.numpy(), share, method=method) for share, method in ((1, "lower"), (99, "higher")))
    expected = paths[(paths >= low) & (paths <= high)].mean()
    assert score(paths).value == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parity
def test_it_equals_torch_fidelity_where_numpy_can_run_it(normal, monkeypatch):
    """torch-fidelity 0.4 calls `numpy.percentile(interpolation=...)`, which NumPy 2.4 took away; here it is back."""
    peer = pytest.importorskip("torch_fidelity.metric_ppl")
    base = pytest.importorskip("torch_fidelity.generative_model_base")
    paths = normal(800, dtype=torch.float32).square()

    class Latents(base.GenerativeModelBase):
        z_size, z_type, num_classes = 2, "normal", 0

        def forward(self, latents):
            return latents

    percentile = np.percentile
    monkeypatch.setattr(
        np, "percentile", lambda values, share, interpolation: percentile(values, share, method=interpolation)
    )
    monkeypatch.setattr(
        peer,
        "prepare_input_descriptor_from_input_id",
        lambda *_, **__: {"input_model_num_samples": 800, "input_model_num_classes": 0},
    )
    monkeypatch.setattr(peer, "prepare_input_from_descriptor", lambda *_, **__: Latents())
    monkeypatch.setattr(peer, "create_sample_similarity", lambda *_, **__: lambda one, other: paths * 1e-8)
    found = peer.calculate_ppl(1, batch_size=800, cuda=False, verbose=False)
    assert score(paths).value == pytest.approx(found[peer.KEY_METRIC_PPL_MEAN], rel=1e-5)


def test_a_straight_path_has_its_length_and_a_collapsed_one_none():
    assert score(torch.full((50,), 9.0)).value == 9
    assert score(torch.zeros(50)).value == 0


def test_a_few_jumps_do_not_move_it(normal):
    paths = normal(1000).square()
    torn = paths.clone()
    torn[:5] = 1e6
    assert score(torn).value == pytest.approx(score(paths).value, rel=0.1)
    assert score(torn, discard=0).value > 1000
    assert score(torn).details["undiscarded_mean"] == pytest.approx(score(torn, discard=0).value)


def test_the_interval_covers_the_expectation():
    generator = torch.Generator().manual_seed(1)
    drawn = [score(torch.randn(400, generator=generator).exp()) for _ in range(300)]
    expectation = np.mean([each.value for each in drawn])
    covered = sum(low <= expectation <= high for low, high in (each.ci95 for each in drawn))
    assert 276 <= covered <= 297


def test_the_order_does_not_matter(normal):
    paths = normal(500).square()
    assert score(paths.flip(0)) == score(paths)


def test_what_has_no_mean_is_undefined():
    assert score(torch.ones(1)).status == "undefined"
    assert "finite" in score(torch.tensor([1.0, float("nan"), 2.0])).reason
    assert "left out" in score(torch.ones(9), discard=0.5).reason


def test_no_paths_are_an_input_error(normal):
    with pytest.raises(InputError, match="a generator"):
        ppl(fake=FeatureBank(features=normal(3, 3)))
