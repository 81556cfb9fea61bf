from __future__ import annotations

import pytest
import torch
from torch import nn

from reference_models.penalties import dragan, gradient_penalty, r1, r2

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
        assert penalty(critic, REAL, FAKE, torch.Generator()).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("penalty", "samples"), [(r1.penalty, REAL), (r2.penalty, FAKE)])
def test_a_quadratic_critic_is_penalised_where_the_penalty_looks(penalty, samples):
    critic = Quadratic()
    mean_square = samples.square().sum(1).mean().item()
    value = penalty(critic, REAL, FAKE, torch.Generator())
    assert value.item() == pytest.approx(9 * mean_square / 2, rel=1e-12)
    value.backward()  # the derivative of a^2 m / 2 is a m
    assert critic.a.grad.item() == pytest.approx(3 * mean_square, rel=1e-12)


@pytest.mark.parametrize("penalty", [r1.penalty, gradient_penalty.penalty])
def test_of_several_patches_of_a_sample_the_mean_logit_is_penalised(penalty):
    critic = nn.Linear(3, 4, dtype=torch.float64)  # of four patches, which all see the whole sample

    def mean(samples):
        return critic(samples).mean(1)

    def patches(samples):
        return critic(samples).flatten()

    one, other = (penalty(judge, REAL, FAKE, torch.Generator().manual_seed(0)) for judge in (mean, patches))
    assert one.item() == pytest.approx(other.item(), rel=1e-12)


def test_samples_are_left_as_they_were():
    fake = FAKE.clone().requires_grad_()
    r2.penalty(Quadratic(), REAL, fake, torch.Generator()).backward()
    assert fake.grad is None
    assert not REAL.requires_grad


@pytest.mark.parametrize("penalty", [gradient_penalty.penalty, dragan.penalty])
def test_a_linear_critic_is_penalised_for_the_distance_of_its_slope_from_one(penalty):
    critic = nn.Linear(3, 1, dtype=torch.float64)
    slope = critic.weight.square().sum().sqrt().item()
    value = penalty(critic, REAL, FAKE, torch.Generator().manual_seed(0))
    assert value.item() == pytest.approx((slope - 1) ** 2, rel=1e-9)


def test_the_places_of_the_gradient_penalty_lie_between_the_pairs_and_repeat():
    seen = []

    def critic(samples):
        seen.append(samples.detach().clone())
        return samples.sum(1)

    for _ in range(2):
        gradient_penalty.penalty(critic, REAL, FAKE, torch.Generator().manual_seed(3))
    part = (seen[0] - FAKE) / (REAL - FAKE)  # the same for all coordinates of a sample, and from 0 to 1
    torch.testing.assert_close(part, part[:, :1].expand(-1, 3))
    assert 0 <= part.min() < part.max() <= 1
    assert torch.equal(seen[0], seen[1])


def test_dragan_looks_near_the_real_samples_only():
    seen = []

    def critic(samples):
        seen.append(samples.detach().clone())
        return samples.sum(1)

    dragan.penalty(critic, REAL, FAKE + 1e6, torch.Generator().manual_seed(3))
    shift = seen[0] - REAL
    assert shift.min() >= 0
    assert 0 < shift.max() <= 0.5 * REAL.std()


def test_a_flat_critic_has_a_finite_gradient_of_its_penalty():
    scale = torch.zeros((), dtype=torch.float64, requires_grad=True)
    value = gradient_penalty.penalty(lambda x: scale * x.sum(1), REAL, FAKE, torch.Generator().manual_seed(0))
    value.backward()
    assert value.item() == pytest.approx(1, rel=1e-5)
    assert scale.grad.isfinite()
