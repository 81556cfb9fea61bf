from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.inception_score import inception_score
from gandiag.statistics.feature_bank import FeatureBank


@pytest.mark.parity
@pytest.mark.parametrize(("samples", "classes"), [(1000, 10), (503, 40)])
def test_it_equals_torch_fidelity(normal, samples, classes):
    peer = pytest.importorskip("torch_fidelity.metric_isc")
    logits = (3 * normal(samples, classes)).float()
    expected = peer.isc_features_to_metric(logits)
    score = inception_score(fake=logits)["is"]
    assert score.value == pytest.approx(expected["inception_score_mean"], rel=1e-6)
    assert score.details["split_std"] == pytest.approx(expected["inception_score_std"], rel=1e-6)


def test_certain_and_even_classes_score_their_number():
    logits = 1e4 * torch.eye(5).repeat(200, 1)
    score = inception_score(fake=logits, splits=1)["is"]
    assert score.value == pytest.approx(5, rel=1e-9)  # saturated logits: finite
    assert np.isfinite(score.stderr)


@pytest.mark.parametrize("logits", [torch.zeros(100, 5), 1e4 * torch.eye(5)[:1].repeat(100, 1)])
def test_one_posterior_for_all_scores_one(logits):
    assert inception_score(fake=logits)["is"].value == pytest.approx(1, abs=1e-12)


def test_independent_channels_multiply():
    index = torch.cartesian_prod(torch.arange(3), torch.arange(3)).repeat(50, 1)
    logits = 1e3 * torch.nn.functional.one_hot(index, 3).float()
    assert inception_score(fake=logits, splits=1)["is"].value == pytest.approx(9, rel=1e-9)


def test_the_score_of_stacks_is_that_of_the_joint_posterior(normal):
    logits = 2 * normal(400, 3, 4)
    joint = torch.einsum("na,nb,nc->nabc", *logits.softmax(2).unbind(1)).flatten(1)
    together = inception_score(fake=joint.log())["is"]
    apart = inception_score(fake=logits)["is"]
    assert apart.value == pytest.approx(together.value, rel=1e-9)
    assert apart.stderr == pytest.approx(together.stderr, rel=1e-6)


def test_the_interval_covers_the_expectation_at_that_n():
    generator = torch.Generator().manual_seed(3)
    scores = [inception_score(fake=2 * torch.randn(500, 6, generator=generator))["is"] for _ in range(160)]
    expectation = np.mean([score.value for score in scores[:100]])
    covered = sum(score.ci95[0] <= expectation <= score.ci95[1] for score in scores[100:])
    assert 51 <= covered <= 60


@pytest.mark.parametrize("count", [0, 1, 9])
def test_fewer_samples_than_splits_are_undefined(count):
    score = inception_score(fake=torch.zeros(count, 3))["is"]
    assert score.status == "undefined"
    assert f"{count} samples" in score.reason


def test_fewer_samples_a_split_than_classes_are_unreliable():
    assert inception_score(fake=torch.eye(20).repeat(5, 1))["is"].status == "unreliable"


def test_a_bank_without_logits_is_an_input_error():
    with pytest.raises(InputError, match="logits"):
        inception_score(fake=FeatureBank(features=torch.ones(20, 2)))
