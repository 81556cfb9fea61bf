from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve

from gandiag.core.errors import InputError
from gandiag.metrics import swd as module
from gandiag.metrics.swd import swd
from gandiag.statistics.pyramid import _blurred, laplacian_pyramid, level_count
from gandiag.statistics.sliced import coupling, sliced_distances


@pytest.fixture
def pictures():
    """Images of smooth random fields, uint8 (n, C, size, size); `detail` adds grain."""
    generator = torch.Generator().manual_seed(0)

    def draw(count, size=16, channels=1, detail=0.0):
        coarse = torch.randn(count, channels, size // 4, size // 4, generator=generator)
        smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
        grain = detail * torch.randn(count, channels, size, size, generator=generator)
        return (128 + 30 * (smooth + grain)).round().clamp(0, 255).byte()

    return draw


def score(real, fake, seed=0, **settings):
    return swd(real=real, fake=fake, rng=np.random.default_rng(seed), **{"patches": 8, **settings})["swd"]


def test_the_levels_go_down_to_16_pixels():
    assert [level_count(size, size) for size in (15, 16, 28, 32, 64, 256)] == [0, 1, 1, 2, 3, 5]
    assert level_count(32, 64) == 2


@pytest.mark.parametrize("size", [32, 33])
def test_the_pyramid_adds_up_to_the_image(pictures, size):
    images = pictures(3, 36).float()[:, :, :size, :size]
    fine, coarse = laplacian_pyramid(images, 2)
    spread = torch.zeros_like(images)
    spread[:, :, ::2, ::2] = coarse
    assert torch.allclose(fine + 4 * _blurred(spread), images, atol=1e-3)
    assert coarse.shape[2] == (size + 1) // 2


def test_a_constant_image_has_no_detail():
    fine, coarse = laplacian_pyramid(torch.full((1, 1, 32, 32), 7.0), 2)
    assert fine.abs().max() < 1e-5
    assert torch.allclose(coarse, torch.full((1, 1, 16, 16), 7.0))


def test_the_blur_is_the_binomial_one():
    image = torch.rand(20, 18, generator=torch.Generator().manual_seed(0))
    taps = np.array([1, 4, 6, 4, 1.0])
    expected = convolve(image.numpy(), np.outer(taps, taps) / 256, mode="mirror")
    assert _blurred(image[None, None])[0, 0].numpy() == pytest.approx(expected, abs=1e-6)


def test_patches_are_cut_where_they_are_said_to_be():
    band = torch.arange(20.0 * 20).view(1, 1, 20, 20)
    places = torch.tensor([[0.0, 0.999, 0.5, 0.0]])  # rows of two patches, then their columns
    first, second = module._cut(band, places)[0]
    assert torch.equal(first[0], band[0, 0, :7, 7:14])
    assert torch.equal(second[0], band[0, 0, 13:, :7])


@pytest.mark.parametrize(("n", "m"), [(5, 5), (4, 6), (3, 7)])
@pytest.mark.parametrize("power", [1, 2])
def test_the_distance_on_a_line_is_exact(normal, n, m, power):
    one, other = normal(n, 1), normal(m, 1)
    # Repeating both sides to one length makes them equally many, whose distance is that of the sorted.
    whole = np.sort(one[:, 0].repeat(m).numpy()) - np.sort(other[:, 0].repeat(n).numpy())
    found, _ = sliced_distances(real=one, fake=other, directions=torch.ones(1, 1).double(), power=power)
    assert found == pytest.approx((np.abs(whole) ** power).mean(), rel=1e-12)
    weights = coupling(n, m, one.device).weights
    assert weights is None or float(weights.sum()) == pytest.approx(1)


def test_other_texture_is_worse_at_its_octave(pictures):
    real, same, grainy = pictures(60, 32), pictures(60, 32), pictures(60, 32, detail=0.5)
    fair, bad = score(real, same), score(real, grainy)
    assert bad.value > fair.value + 5 * fair.stderr
    assert bad.details["levels"]["32"] > 1.5 * fair.details["levels"]["32"]
    assert set(bad.details["levels"]) == {"32", "16"}
    assert bad.value == pytest.approx(np.mean(list(bad.details["levels"].values())))


def test_a_collapse_is_worse(pictures):
    real, good = pictures(80), pictures(80)
    assert score(real, good[:2].repeat(40, 1, 1, 1)).value > 2 * score(real, good).value


def test_copies_have_no_distance(pictures):
    real = pictures(20)
    found = score(real, real.flip(0))
    assert (found.value, found.stderr) == (0, 0)


def test_the_overall_contrast_is_not_seen():
    patches = 100 * torch.rand(20, 4, 2, 7, 7, generator=torch.Generator().manual_seed(0))
    rows = module._normalised(patches)
    assert torch.allclose(module._normalised(3 * patches + 1), rows, atol=1e-4)
    assert rows.shape == (80, 98)
    assert float(rows.std(correction=0)) == pytest.approx(1, rel=1e-5)


def test_one_seed_gives_one_answer_in_any_order(pictures):
    real, fake = pictures(20), pictures(15)
    one = score(real, fake)
    assert score(real, fake) == one
    assert score(real.flip(0), fake.roll(4, 0)) == one
    assert score(real, fake, seed=1).value != one.value


def test_the_batch_of_the_pyramid_does_not_matter(pictures, monkeypatch):
    real, fake = pictures(20, 32), pictures(20, 32)
    whole = score(real, fake).value
    monkeypatch.setattr(module, "BATCH", 7)
    assert score(real, fake).value == pytest.approx(whole, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("detail", [0.0, 0.3])
def test_the_interval_covers_the_expectation(pictures, detail):
    found = [score(pictures(60), pictures(60, detail=detail), seed=seed) for seed in range(150)]
    expectation = np.mean([one.value for one in found])
    low, high = np.array([one.ci95 for one in found]).T
    assert np.mean((low <= expectation) & (expectation <= high)) >= 0.9


def test_degenerate_images(pictures):
    assert "below 16" in score(pictures(9, 12), pictures(9, 12)).reason
    assert "points" in score(torch.rand(9, 2), torch.rand(9, 2)).reason
    assert score(pictures(9)[:0], pictures(9)).status == "undefined"
    few = score(pictures(3), pictures(4))
    assert few.error_method.startswith("none: 8 images")
    constant = torch.full((9, 1, 16, 16), 3, dtype=torch.uint8)
    assert score(constant, constant).value == 0


def test_images_of_two_shapes_are_an_input_error(pictures):
    with pytest.raises(InputError, match="shape"):
        score(pictures(9, 16), pictures(9, 20))
