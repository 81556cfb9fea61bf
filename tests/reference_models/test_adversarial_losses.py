from __future__ import annotations

import math
import pkgutil

import pytest
import torch

import reference_models.losses
from reference_models import catalogue

REAL = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
FAKE = torch.tensor([1.5, 0.0, -3.0], dtype=torch.float64)
NAMES = [module.name for module in pkgutil.iter_modules(reference_models.losses.__path__) if module.name[0] != "_"]


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def mean(values):
    return sum(values) / len(values)


def loss(name):
    return catalogue.part("losses", "loss", name).LOSS


@pytest.mark.parametrize("name", ["saturating", "non_saturating"])
def test_the_discriminator_of_the_first_gan_minimises_cross_entropy(name):
    expected = -mean([math.log(sigmoid(x)) for x in REAL.tolist()])
    expected -= mean([math.log(1 - sigmoid(x)) for x in FAKE.tolist()])
    assert loss(name).discriminator(REAL, FAKE).item() == pytest.approx(expected, rel=1e-12)


def test_generator_losses_against_their_definitions():
    fakes, reals = FAKE.tolist(), REAL.tolist()
    saturating = mean([math.log(1 - sigmoid(x)) for x in fakes])
    non_saturating = -mean([math.log(sigmoid(x)) for x in fakes])
    paired = -mean([math.log(sigmoid(f - r)) for f, r in zip(fakes, reals, strict=True)])
    assert loss("saturating").generator(REAL, FAKE).item() == pytest.approx(saturating, rel=1e-12)
    assert loss("non_saturating").generator(REAL, FAKE).item() == pytest.approx(non_saturating, rel=1e-12)
    assert loss("relativistic").generator(REAL, FAKE).item() == pytest.approx(paired, rel=1e-12)


def test_the_relativistic_players_swap_roles_and_see_differences_only():
    players = loss("relativistic")
    assert players.discriminator(REAL, FAKE).item() == players.generator(FAKE, REAL).item()
    shifted = players.discriminator(REAL + 7, FAKE + 7).item()
    assert shifted == pytest.approx(players.discriminator(REAL, FAKE).item(), rel=1e-12)


def test_the_saturating_gradient_vanishes_where_the_other_does_not():
    sure = torch.full((4,), -30.0, dtype=torch.float64, requires_grad=True)
    (vanishing,) = torch.autograd.grad(loss("saturating").generator(REAL, sure), sure)
    (strong,) = torch.autograd.grad(loss("non_saturating").generator(REAL, sure), sure)
    assert vanishing.abs().max() < 1e-12
    assert strong.abs().min() == pytest.approx(1 / 4, rel=1e-9)


def test_the_other_losses_against_their_definitions():
    fakes, reals = FAKE.tolist(), REAL.tolist()
    expected = {
        "least_squares": (
            mean([(r - 1) ** 2 for r in reals]) / 2 + mean([f**2 for f in fakes]) / 2,
            mean([(f - 1) ** 2 for f in fakes]) / 2,
        ),
        "hinge": (mean([max(0, 1 - r) for r in reals]) + mean([max(0, 1 + f) for f in fakes]), -mean(fakes)),
        "wasserstein": (mean(fakes) - mean(reals), -mean(fakes)),
    }
    for name, (discriminator, generator) in expected.items():
        assert loss(name).discriminator(REAL, FAKE).item() == pytest.approx(discriminator, rel=1e-12)
        assert loss(name).generator(REAL, FAKE).item() == pytest.approx(generator, rel=1e-12)


def test_gradients_of_the_least_squares_and_the_hinge_in_closed_form():
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    squares = torch.autograd.grad(loss("least_squares").discriminator(real, fake), (real, fake))
    torch.testing.assert_close(squares, ((REAL - 1) / 3, FAKE / 3))
    hinge = torch.autograd.grad(loss("hinge").discriminator(real, fake), (real, fake))
    inside = ((REAL < 1).double() / -3, (FAKE > -1).double() / 3)  # nothing beyond the margin
    torch.testing.assert_close(hinge, inside)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "least_squares"])
def test_every_loss_pulls_the_players_apart_and_survives_large_logits(name):
    players = loss(name)
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    real_pull, fake_pull = torch.autograd.grad(players.discriminator(real, fake), (real, fake))
    (generator_pull,) = torch.autograd.grad(players.generator(REAL, fake), fake)
    # Descent raises real logits and lowers fake ones, and the generator raises them again; beyond a margin, not at all.
    for pull, sign in ((real_pull, -1), (fake_pull, 1), (generator_pull, -1)):
        assert (sign * pull >= 0).all()
        assert (sign * pull > 0).any()
    for extreme in (1e4, -1e4):
        assert players.discriminator(-REAL - extreme, FAKE + extreme).isfinite()
        assert players.generator(REAL, FAKE + extreme).isfinite()


@pytest.mark.parametrize("name", NAMES)
def test_only_a_comparing_generator_looks_at_real_logits(name):
    players = loss(name)
    same = players.generator(REAL, FAKE).item() == players.generator(REAL + 1, FAKE).item()
    assert same != players.generator_compares
