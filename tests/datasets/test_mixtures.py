from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.datasets import load_dataset


def test_the_ring_has_eight_centres_on_the_circle():
    centres = load_dataset("ring8").modes.centres
    np.testing.assert_allclose(np.hypot(*centres.T), 1)
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2) + 9 * np.eye(8)
    np.testing.assert_allclose(apart.min(axis=1), 2 * np.sin(np.pi / 8))  # neighbours at 45 degrees, none twice


def test_the_grid_has_25_centres_two_apart():
    centres = load_dataset("grid25").modes.centres
    assert {tuple(centre) for centre in centres} == {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}


@pytest.mark.parametrize(("name", "deviation"), [("ring8", 0.01), ("grid25", 0.05)])
def test_points_are_normal_around_the_centre_of_their_label(name, deviation):
    dataset = load_dataset(name)
    points, labels = dataset.read(0, 10_000).double(), dataset.labels(0, 10_000)
    noise = points - torch.from_numpy(dataset.modes.centres)[labels]
    assert dataset.modes.deviation == deviation
    assert float(noise.std()) == pytest.approx(deviation, rel=4 / 40_000**0.5)
    assert abs(float(noise.mean())) < 4 * deviation / 20_000**0.5
    expected = 10_000 / dataset.modes.count
    counts = torch.bincount(labels, minlength=dataset.modes.count).double()
    assert ((counts - expected).abs() < 4.5 * expected**0.5).all()


def test_seeds_draw_other_points_and_other_hashes():
    one, other = load_dataset("ring8", seed=0), load_dataset("ring8", seed=1)
    assert not torch.equal(one.read(0, 10), other.read(0, 10))
    assert one.info.sha256 != other.info.sha256
