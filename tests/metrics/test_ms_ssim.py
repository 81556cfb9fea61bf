from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.ms_ssim import ms_ssim
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.ssim import WEIGHTS, multi_scale_ssim, scales_of


def pictures(normal, count, size=32, channels=1):
    """Smooth random pictures: noise of 4 x 4 values, enlarged."""
    small = normal(count, channels, 4, 4, dtype=torch.float32)
    values = torch.nn.functional.interpolate(small, size=size, mode="bicubic")
    return (128 + 50 * values).round().clamp(0, 255).byte()


def score(fake, real=None, labels=None, real_labels=None, seed=0, **options):
    banks = {"fake": FeatureBank(images=fake, labels=labels)}
    if real is not None:
        banks["real"] = FeatureBank(images=real, labels=real_labels)
    return ms_ssim(**banks, rng=np.random.default_rng(seed), **options)["ms_ssim"]


@pytest.mark.parity
@pytest.mark.parametrize(("size", "scales"), [(192, 5), (64, 3), (32, 2)])
def test_it_equals_torchmetrics_with_its_borders_cut(normal, size, scales):
    """torchmetrics pads the image by reflection and forgets to cut that off again where the luminance comes in."""
    peer = pytest.importorskip("torchmetrics.functional.image.ssim")
    one = pictures(normal, 2, size, 3).double()
    other = (0.7 * one + 0.3 * pictures(normal, 2, size, 3).double()).round()
    assert scales_of(size, size) == scales
    found = multi_scale_ssim(one, other)
    expected = torch.ones(2, dtype=torch.float64)
    for scale, weight in enumerate(WEIGHTS[:scales]):
        _, contrast = peer._ssim_update(one, other, data_range=255.0, return_contrast_sensitivity=True)
        _, full = peer._ssim_update(one, other, data_range=255.0, return_full_image=True)
        last = full[..., 5:-5, 5:-5].mean(dim=(1, 2, 3))
        expected *= (last if scale == scales - 1 else contrast) ** (weight / sum(WEIGHTS[:scales]))
        one, other = (torch.nn.functional.avg_pool2d(side, 2) for side in (one, other))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parity
def test_torchmetrics_itself_is_near_on_large_images(normal):
    peer = pytest.importorskip("torchmetrics.functional.image.ssim")
    one = pictures(normal, 2, 176).double()
    other = (0.7 * one + 0.3 * pictures(normal, 2, 176).double()).round()
    expected = peer.multiscale_structural_similarity_index_measure(
        one, other, data_range=255.0, reduction="none", normalize="relu"
    )
    torch.testing.assert_close(multi_scale_ssim(one, other), expected, rtol=0.05, atol=0.01)


def test_an_image_is_like_itself_and_unlike_its_negative(normal):
    images = pictures(normal, 4)
    torch.testing.assert_close(multi_scale_ssim(images, images), torch.ones(4, dtype=torch.float64))
    assert bool((multi_scale_ssim(images, 255 - images) < 0.2).all())


def test_flat_images_have_the_closed_form():
    one, other = torch.full((1, 1, 16, 16), 50), torch.full((1, 1, 16, 16), 100)
    stable = (0.01 * 255) ** 2
    expected = (2 * 50 * 100 + stable) / (50**2 + 100**2 + stable)
    assert float(multi_scale_ssim(one, other)) == pytest.approx(expected)


def test_the_scales_that_fit():
    assert [scales_of(size, 500) for size in (10, 11, 21, 22, 28, 44, 88, 175, 176, 1024)] == [
        0, 1, 1, 2, 2, 3, 4, 4, 5, 5
    ]  # fmt: skip


def test_a_collapsed_generator_is_above_the_real_images_and_noise_below(normal):
    real = pictures(normal, 200)
    honest = score(pictures(normal, 200), real)
    assert abs(honest.details["difference"]) < 4 * (honest.stderr + honest.details["real_stderr"])
    collapsed = (pictures(normal, 1).repeat(200, 1, 1, 1).float() + normal(200, 1, 32, 32)).clamp(0, 255).byte()
    assert score(collapsed, real).details["difference"] > 0.5
    noise = (128 + 60 * normal(200, 1, 32, 32)).clamp(0, 255).byte()
    assert score(noise, real).value < 0.1
    assert honest.better is None


@pytest.mark.parametrize("kinds", [2, 5, 10])
def test_a_generator_of_a_few_images_is_like_itself_as_often_as_a_pair_is_of_one(normal, kinds):
    noise = (128 + 60 * normal(kinds, 1, 32, 32)).clamp(0, 255).byte()
    found = score(noise[torch.arange(400) % kinds])
    share = (400 / kinds - 1) / 399  # of the pairs that are of one image; those of two are hardly alike
    assert found.value == pytest.approx(share, abs=4 * found.stderr + 0.05)


def test_pairs_are_within_a_class_where_there_are_labels(normal):
    labels = torch.arange(100) % 4
    images = pictures(normal, 4)[labels]
    assert score(images, labels=labels).value == pytest.approx(1)
    assert score(images, images, labels=labels, real_labels=labels).details["difference"] == pytest.approx(0)
    unlabelled = score(images, images, labels=labels)  # the real images have none: no side uses them
    assert unlabelled.params["within_class"] is False
    assert unlabelled.value < 0.9
    stacked = torch.stack([labels % 2, labels // 2], dim=1)
    assert score(images, labels=stacked).value == pytest.approx(1)


def test_the_interval_covers_the_expectation(normal):
    images = pictures(normal, 3000, 16)
    drawn = [score(images[start : start + 60]) for start in range(0, 3000, 60)]
    expectation = np.mean([each.value for each in drawn])
    covered = sum(low <= expectation <= high for low, high in (each.ci95 for each in drawn))
    assert covered >= 43


def test_one_seed_gives_one_number_and_order_does_not_matter(normal):
    images = pictures(normal, 80)
    assert score(images) == score(images)
    assert score(images.flip(0)).value == pytest.approx(score(images).value, rel=1e-12)
    assert score(images, seed=1).value != score(images).value
    assert score(images, pairs=10).details["pairs"] == 10


def test_what_makes_no_pairs_is_undefined(normal):
    assert "2 or more" in score(pictures(normal, 3)).reason
    assert "within a class" in score(pictures(normal, 9), labels=torch.arange(9)).reason
    assert "11 x 11" in score(pictures(normal, 9, 10)).reason
    assert score(torch.full((9, 3, 16, 16), 7).byte()).value == pytest.approx(1)


def test_no_images_are_an_input_error(normal):
    with pytest.raises(InputError, match="needs images"):
        ms_ssim(fake=FeatureBank(features=normal(9, 3)))
