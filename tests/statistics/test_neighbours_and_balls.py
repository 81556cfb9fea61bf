from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from gandiag.statistics import neighbours
from gandiag.statistics.balls import Side, count_in_balls
from gandiag.statistics.half_sampling import random_halves
from gandiag.statistics.neighbours import centred_pair, common_shift, neighbour_lists, squared_distances


@pytest.mark.parametrize("block", [7, 8 * 2**20])
def test_neighbours_equal_brute_force(normal, monkeypatch, block):
    monkeypatch.setattr(neighbours, "BLOCK_ELEMENTS", block)
    points = normal(80, 5)
    full = cdist(points, points) ** 2
    np.fill_diagonal(full, np.inf)
    distances, indices = neighbour_lists(points, 9)
    np.testing.assert_allclose(distances, np.sort(full, axis=1)[:, :9], rtol=1e-9)
    np.testing.assert_array_equal(indices, np.argsort(full, axis=1)[:, :9])


@pytest.mark.parametrize("offset", [0, 1e3])
def test_copies_are_at_distance_zero(normal, offset):
    rows = (normal(60, 300) + offset).float()
    real, fake = centred_pair(real=rows, fake=rows.clone())
    found = squared_distances(real, fake, fake.square().sum(dim=1))
    assert (found.diagonal() == 0).all()
    assert (found + torch.eye(60) > 0).all()
    twice = torch.cat([real, real])
    assert (neighbour_lists(twice, 1)[0] == 0).all()


def test_a_far_offset_leaves_float32_distances_right(normal):
    real, fake = (1e3 + normal(40, 8)).float(), (1e3 + normal(30, 8)).float()
    found = squared_distances(*(pair := centred_pair(real=real, fake=fake)), pair[1].square().sum(dim=1))
    np.testing.assert_allclose(found, cdist(real.double(), fake.double()) ** 2, rtol=1e-4)


def brute_force(centres, points, rank, in_centres, in_points):
    """Counts in one selection, the radii from its own members alone."""
    chosen, others = np.flatnonzero(in_centres), np.flatnonzero(in_points)
    own = cdist(centres[chosen], centres[chosen])
    radius = np.sort(own, axis=1)[:, rank]  # the 0-th is the point itself
    inside = cdist(centres[chosen], points[others]) <= radius[:, None]
    balls, held = np.zeros(len(points)), np.zeros(len(centres))
    balls[others], held[chosen] = inside.sum(axis=0), inside.sum(axis=1)
    return balls, held


@pytest.mark.parametrize(("n", "m"), [(30, 24), (20, 41)])
def test_counts_in_every_half_equal_brute_force(normal, n, m):
    centres, points = normal(n, 3), 0.8 * normal(m, 3) + 0.2
    rng = np.random.default_rng(0)
    halves = random_halves(n, 6, rng), random_halves(m, 6, rng)
    found, _ = count_in_balls(Side(centres, halves[0], (3, 5)), Side(points, halves[1], ()))
    everyone = np.ones((1, n), bool), np.ones((1, m), bool)
    selections = [np.concatenate([all_, half.numpy()]) for all_, half in zip(everyone, halves, strict=True)]
    for rank, counts in found.items():
        for row in range(7):
            in_centres, in_points = selections[0][row], selections[1][row]
            balls, held = brute_force(centres.numpy(), points.numpy(), rank, in_centres, in_points)
            np.testing.assert_array_equal(counts.balls[:, row].numpy() * in_points, balls)
            np.testing.assert_array_equal(counts.points[:, row].numpy() * in_centres, held)
            size = in_points.sum()
            assert float(counts.share_of_points_inside()[row]) == pytest.approx((balls > 0).sum() / size)
            assert float(counts.balls_per_point()[row]) == pytest.approx(balls.sum() / size)
            assert float(counts.share_of_balls_used()[row]) == pytest.approx((held > 0).sum() / in_centres.sum())


def test_a_point_on_the_radius_is_inside():
    centres = torch.tensor([[0.0], [1.0], [10.0]])
    none = torch.zeros(0, 3, dtype=torch.bool), torch.zeros(0, 1, dtype=torch.bool)
    counts = count_in_balls(Side(centres, none[0], (1,)), Side(torch.tensor([[-1.0]]), none[1], ()))[0][1]
    assert counts.points[:, 0].tolist() == [1, 0, 0]


@pytest.mark.parametrize("count", [10, 11])
def test_halves_are_half_of_all_and_fair(count):
    members = random_halves(count, 2000, np.random.default_rng(0))
    assert (members.sum(dim=1) == count // 2).all()
    share = members.double().mean(dim=0)
    assert (share - (count // 2) / count).abs().max() < 4 * 0.5 / 2000**0.5


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(neighbours, "TILE", 7)


def test_tiles_change_nothing(normal, small_tiles):
    real, fake = normal(40, 3, dtype=torch.float32) + 100, normal(33, 3, dtype=torch.float32) + 101
    halves = [torch.arange(3 * count).view(3, count) % 2 == 0 for count in (40, 33)]
    sides = Side(real, halves[0], (2, 3)), Side(fake, halves[1], (2,))
    shift = common_shift(real=real, fake=fake)
    tiled = count_in_balls(*sides, shift=shift), neighbour_lists(real, 9, shift)
    neighbours.TILE = 1024
    whole = count_in_balls(*sides, shift=shift), neighbour_lists(real, 9, shift)
    torch.testing.assert_close(tiled[1][0], whole[1][0])
    for one, other in zip(tiled[0], whole[0], strict=True):
        for rank, counts in one.items():
            assert torch.equal(counts.balls, other[rank].balls)
            assert torch.equal(counts.points, other[rank].points)


def test_open_balls_do_not_hold_their_edge():
    line = torch.arange(5.0)[:, None]
    none = torch.zeros(0, 5, dtype=torch.bool), torch.zeros(0, 1, dtype=torch.bool)
    side, edge = Side(line, none[0], (1,)), Side(torch.tensor([[5.0]]), none[1], ())
    assert count_in_balls(side, edge)[0][1].balls[0, 0] == 1
    assert count_in_balls(side, edge, closed=False)[0][1].balls[0, 0] == 0
