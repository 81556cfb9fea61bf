from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.fid import fid
from gandiag.metrics.memorization import memorization
from gandiag.statistics.nearest import nearest_neighbours


def scores(real, fake, **options):
    return memorization(real=real, fake=fake, **options)


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_neighbours_are_those_of_the_full_matrix(normal, offset):
    points, targets = normal(90, 7, dtype=torch.float32) + offset, normal(70, 7, dtype=torch.float32) + offset
    matrix = (points.double()[:, None] - targets.double()).square().sum(dim=2).sqrt()
    expected, indices = matrix.sort(dim=1, stable=True)
    found = nearest_neighbours(points, targets, 2)
    assert torch.equal(found[0], expected[:, :2])
    assert torch.equal(found[1], indices[:, :2])


def test_near_copies_far_from_the_origin_have_their_distance(normal):
    """An expansion in float32 has no digit of a distance of a millionth of the norm."""
    targets = normal(60, 128, dtype=torch.float32)
    targets[1] = targets[0]
    targets[1, 0] += 1e-5
    points = targets.clone()
    points[:, 1] += 1e-6
    distances, indices = nearest_neighbours(points, targets, 1)
    exact = (points.double()[:, None] - targets.double()).square().sum(dim=2).sqrt().min(dim=1)
    assert torch.equal(distances[:, 0], exact.values)
    assert torch.equal(indices[:, 0], exact.indices)


def test_a_set_is_not_its_own_neighbour(normal):
    rows = normal(40, 3)
    distances, indices = nearest_neighbours(rows, rows, 1, themselves=True)
    assert bool((distances > 0).all())
    assert not bool((indices[:, 0] == torch.arange(40)).any())


def test_copies_are_found_and_are_at_distance_0(normal):
    real, fake = normal(300, 256, dtype=torch.float32), normal(200, 256, dtype=torch.float32)
    fake[17], fake[40] = real[5], real[9]
    fake[3] = real[200] + 1e-3
    found = scores(real, fake)["copies"]
    assert found.value == 3 / 200
    assert found.details["exact"] == 2
    worst = found.details["nearest"][:3]
    assert [(each["fake"], each["real"]) for each in worst] == [(17, 5), (40, 9), (3, 200)]
    assert [each["distance"] for each in worst[:2]] == [0.0, 0.0]
    assert worst[2]["distance"] == pytest.approx(1e-3 * 16, rel=1e-3)
    assert len(found.details["nearest"]) == 64


def test_honest_fakes_have_what_the_training_samples_have(normal):
    found = scores(normal(1000, 8), normal(1000, 8))
    for name in ("authenticity", "copies"):
        low, high = found[name].ci95
        assert low - 0.03 < found[name].details["expected"] < high + 0.03
    assert found["mifid"].details["penalty"] > 1 or found["mifid"].value == found["mifid"].details["fid"]


def test_a_memorising_generator_has_no_authentic_fake(normal):
    real = normal(300, 8)
    found = scores(real, real[:100] + 1e-4 * normal(100, 8))
    assert found["authenticity"].value == 0
    assert found["copies"].value == 1
    noise = scores(real, normal(100, 8) + 50)
    assert noise["authenticity"].value == 1
    assert noise["copies"].value == 0


def test_duplicates_in_the_training_set_do_not_make_copies_authentic(normal):
    real = normal(50, 4)
    real = torch.cat([real, real])
    found = scores(real, real[:20].clone())
    assert found["authenticity"].value == 0
    assert found["copies"].value == 1


def test_mifid_is_fid_over_the_mean_cosine_distance(normal):
    real, fake = normal(200, 5) + 4, normal(150, 5) + 4
    found = scores(real, fake)["mifid"]
    cosine = 1 - torch.nn.functional.normalize(fake) @ torch.nn.functional.normalize(real).T
    mean = float(cosine.min(dim=1).values.mean())
    assert mean < 0.1
    assert found.value == pytest.approx(fid(real=real, fake=fake)["fid"].value / (mean + 1e-14), rel=1e-6)
    assert scores(real, fake, threshold=mean / 2)["mifid"].value == pytest.approx(found.details["fid"])


@pytest.mark.parity
def test_twenty_memorised_images_are_punished_where_torchmetrics_lets_them_pass(normal):
    """The contest's measure goes from the generated to the real samples; torchmetrics 1.9 goes the other way."""
    peer = pytest.importorskip("torchmetrics.image.mifid")
    real = normal(1000, 64, dtype=torch.float32).abs()
    fake = real[:20].repeat(50, 1)
    wrong, right = (float(peer._compute_cosine_distance(*pair)) for pair in ((real, fake), (fake, real)))
    assert wrong == 1  # no penalty
    assert right < 1e-6
    found = scores(real, fake)["mifid"]
    assert found.details["cosine_distance"] == 0
    assert found.value > 1e10 * found.details["fid"]
    honest = scores(real, normal(1000, 64, dtype=torch.float32).abs())["mifid"]
    assert honest.value == honest.details["fid"]


@pytest.mark.parity
def test_the_cosine_distance_is_torchmetrics_in_the_right_direction(normal):
    peer = pytest.importorskip("torchmetrics.image.mifid")
    real, fake = (normal(300, 6, dtype=torch.float32).abs() + 1 for _ in range(2))
    expected = float(peer._compute_cosine_distance(fake, real))
    assert scores(real, fake)["mifid"].details["cosine_distance"] == pytest.approx(expected, rel=1e-3)


def test_the_intervals_cover_the_expectation():
    generator = torch.Generator().manual_seed(2)
    real = torch.randn(300, 3, generator=generator) + 3
    drawn = [scores(real, 1.2 * torch.randn(200, 3, generator=generator) + 3) for _ in range(100)]
    for name, least in (("authenticity", 89), ("copies", 89), ("mifid", 85)):
        expectation = np.mean([each[name].value for each in drawn])
        covered = sum(low <= expectation <= high for low, high in (each[name].ci95 for each in drawn))
        assert covered >= least, name


def test_the_order_does_not_matter(normal):
    real, fake = normal(60, 4), normal(50, 4)
    turned = scores(real.flip(0), fake.flip(0))
    for name, score in scores(real, fake).items():
        assert turned[name].value == pytest.approx(score.value, rel=1e-9)


def test_constant_and_zero_rows_have_scores():
    for value in (0.0, 1.0):
        found = scores(torch.full((30, 4), value), torch.full((20, 4), value))
        assert (found["authenticity"].value, found["copies"].value) == (0, 1)
        assert found["mifid"].status == "unreliable"


@pytest.mark.parametrize("count", [0, 2])
def test_too_few_samples_are_undefined(normal, count):
    for score in scores(normal(count, 3), normal(9, 3)).values():
        assert score.status == "undefined"


def test_features_of_two_widths_are_an_input_error(normal):
    with pytest.raises(InputError, match="4 dimensions and fake ones 3"):
        scores(normal(9, 4), normal(9, 3))
