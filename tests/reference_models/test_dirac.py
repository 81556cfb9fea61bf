from __future__ import annotations

import math
from itertools import pairwise

import pytest

from gandiag import UsageError
from reference_models.dirac import Dirac


def radii(game, steps=4000):
    return [math.hypot(*place) for place in game.path(steps)]


def test_the_first_step_by_hand():
    ((theta, psi),) = Dirac(learning_rate=0.5, theta=1.0, psi=0.0).path(1)
    assert psi == pytest.approx(-0.5 * 1.0 * 0.5)
    assert theta == pytest.approx(1 + 0.5 * psi / (1 + math.exp(-psi)))
    ((theta, psi),) = Dirac(learning_rate=0.5, simultaneous=True, theta=1.0, psi=0.0).path(1)
    assert (theta, psi) == (1.0, -0.25)  # the generator answered a flat discriminator


def test_simultaneous_descent_spirals_away():
    far = radii(Dirac(simultaneous=True))
    assert far[-1] > 2 * far[0]


def test_alternating_descent_circles_and_comes_no_nearer():
    circle = radii(Dirac())
    assert min(circle[-500:]) > 0.5 * min(circle[:500])
    assert max(circle[-500:]) < 2 * max(circle[:500])
    signs = [theta > 0 for theta, _ in Dirac().path(4000)]
    turns = sum(one != other for one, other in pairwise(signs))
    assert turns > 20


@pytest.mark.parametrize("simultaneous", [False, True])
def test_a_zero_centred_penalty_leads_to_the_equilibrium(simultaneous):
    assert radii(Dirac(penalty=0.3, simultaneous=simultaneous))[-1] < 1e-6


def test_more_steps_of_the_discriminator_do_not_settle_it():
    assert min(radii(Dirac(discriminator_steps=5))[-500:]) > 0.1


def test_what_cannot_be_played_is_told():
    with pytest.raises(UsageError, match="learning rate above 0"):
        Dirac(learning_rate=0.0)
