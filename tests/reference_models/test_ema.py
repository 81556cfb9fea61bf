from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from reference_models.training import ema, schedule


def test_the_average_is_the_geometric_sum_of_what_it_saw():
    network = nn.Linear(2, 2).double()
    average = copy.deepcopy(network).requires_grad_(False)
    start, seen = network.weight.detach().clone(), []
    for step in range(5):
        nn.init.constant_(network.weight, step)
        seen.append(float(step))
        ema.update(average, network, 0.7)
    expected = 0.7**5 * start + sum(0.3 * 0.7 ** (4 - i) * value for i, value in enumerate(seen))
    torch.testing.assert_close(average.weight, expected, rtol=1e-12, atol=0)


def test_statistics_are_averaged_and_counts_copied():
    network = nn.BatchNorm1d(1)
    average = copy.deepcopy(network)
    network(torch.tensor([[1.0], [3.0]]))  # running mean 0.1 * 2, running variance 0.9 + 0.1 * 2
    ema.update(average, network, 0.5)
    assert average.running_mean.item() == pytest.approx(0.1)
    assert average.running_var.item() == pytest.approx(1.05)
    assert average.num_batches_tracked.item() == 1


def test_the_decay_grows_to_its_value():
    decays = [ema.decay_at(step, 0.99) for step in range(2000)]
    assert decays[0] == pytest.approx(0.1)
    assert decays == sorted(decays)
    assert decays[-1] == 0.99


def test_the_learning_rate_is_flat_then_falls_in_equal_steps_to_zero():
    factors = [schedule.factor(step, 10, 0.5) for step in range(11)]
    assert factors[:6] == [1.0] * 6
    assert factors[5:] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.0])
    assert {schedule.factor(step, 10, 1.0) for step in range(10)} == {1.0}
