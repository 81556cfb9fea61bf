from __future__ import annotations

import pytest
import torch
from torch import nn

from reference_models.penalties import r1, r2

REAL = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
FAKE = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


class Quadratic(nn.Module):
    """a |x|^2 / 2, whose gradient is a x."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(3.0, dtype=torch.float64))

    def forward(self, x):
        return self.a * x.square().sum(1) / 2


def test_a_linear_critic_has_the_gradient_of_its_weights_everywhere():
    critic = nn.Linear(3, 1, dtype=torch.float64)
    expected = critic.weight.square().sum().item() / 2
    for penalty in (r1.penalty, r2.penalty):
        assert penalty(critic, REAL, FAKE).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("penalty", "samples"), [(r1.penalty, REAL), (r2.penalty, FAKE)])
def test_a_quadratic_critic_is_penalised_where_the_penalty_looks(penalty, samples):
    critic = Quadratic()
    mean_square = samples.square().sum(1).mean().item()
    value = penalty(critic, REAL, FAKE)
    assert value.item() == pytest.approx(9 * mean_square / 2, rel=1e-12)
    value.backward()  # the derivative of a^2 m / 2 is a m
    assert critic.a.grad.item() == pytest.approx(3 * mean_square, rel=1e-12)


def test_samples_are_left_as_they_were():
    fake = FAKE.clone().requires_grad_()
    r2.penalty(Quadratic(), REAL, fake).backward()
    assert fake.grad is None
    assert not REAL.requires_grad
