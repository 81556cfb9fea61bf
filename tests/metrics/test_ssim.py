"""SSIM of pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.metrics.ssim import ssim
from gandiag.statistics.feature_bank import FeatureBank


def pictures(normal, count, size=24, channels=3):
    small = normal(count, channels, 4, 4, dtype=torch.float32)
    values = torch.nn.functional.interpolate(small, size=size, mode="bicubic")
    return (128 + 50 * values).round().clamp(0, 255).byte()


def noisy(normal, images, strength=12):
    return (images + strength * normal(*images.shape)).round().clamp(0, 255).byte()


def score(images, targets, inputs=None):
    return ssim(fake=FeatureBank(images=images, targets=targets, inputs=inputs))["ssim"]


def test_of_flat_images_by_hand():
    """Without variance what is left is (2 a b + c) / (a^2 + b^2 + c), with c = (0.01 x 255)^2."""
    one, other = (torch.full((3, 1, 16, 16), value, dtype=torch.uint8) for value in (100, 150))
    c = 2.55**2
    assert score(one, other).value == pytest.approx((2 * 100 * 150 + c) / (100**2 + 150**2 + c), rel=1e-9)


def test_of_one_window_by_hand(normal):
    """At 11 x 11 pixels there is one window: its weighted moments, straight from the paper."""
    targets = pictures(normal, 2, 11, 1)
    images = noisy(normal, targets)
    place = np.arange(11) - 5
    weights = np.exp(-(place[:, None] ** 2 + place[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    expected = []
    for x, y in zip(images[:, 0].double().numpy(), targets[:, 0].double().numpy(), strict=True):
        mx, my = (weights * x).sum(), (weights * y).sum()
        vx, vy = (weights * (x - mx) ** 2).sum(), (weights * (y - my) ** 2).sum()
        cov = (weights * (x - mx) * (y - my)).sum()
        c1, c2 = 2.55**2, 7.65**2
        expected.append((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    assert score(images, targets).value == pytest.approx(np.mean(expected), rel=1e-9)


def test_identical_is_1_and_more_noise_is_less(normal):
    targets = pictures(normal, 5)
    assert score(targets, targets).value == pytest.approx(1, abs=1e-12)
    values = [score(noisy(normal, targets, strength), targets).value for strength in (2, 10, 40)]
    assert 1 > values[0] > values[1] > values[2] > 0
    assert score(targets, 255 - targets).value < 0.5


def test_the_error_bar_is_that_of_a_mean(normal):
    targets = pictures(normal, 6)
    images = noisy(normal, targets)
    each = [score(images[i : i + 1], targets[i : i + 1]).value for i in range(6)]
    found = score(images, targets)
    assert found.value == pytest.approx(np.mean(each))
    assert found.stderr == pytest.approx(np.std(each, ddof=1) / 6**0.5)
    assert found.details["worst"][0]["index"] == int(np.argmin(each))
    assert found.details["best"][0]["index"] == int(np.argmax(each))


def test_images_smaller_than_the_window_have_none(normal):
    small = pictures(normal, 3, 10)
    found = score(small, small)
    assert found.status == "undefined"
    assert "11 x 11" in found.reason
    assert score(pictures(normal, 3, 11), pictures(normal, 3, 11)).status == "ok"


def test_bicubic_has_the_gain_of_nothing_over_itself(normal):
    from gandiag.statistics.pairs import enlarged

    inputs = pictures(normal, 3, 12)
    targets = noisy(normal, enlarged(inputs, (3, 24, 24)))
    found = score(enlarged(inputs, (3, 24, 24)), targets, inputs)
    assert found.details["bicubic"] == found.value
    assert found.details["over_bicubic"] == 0


@pytest.mark.parity
@pytest.mark.parametrize(("size", "channels"), [(12, 1), (24, 3), (40, 3)])
def test_it_equals_torchmetrics(normal, size, channels):
    """torchmetrics 1.9 pads by reflection and averages over that too: with the borders cut it is the same."""
    peer = pytest.importorskip("torchmetrics.functional.image")
    targets = pictures(normal, 4, size, channels)
    images = noisy(normal, targets)
    padded, full = peer.structural_similarity_index_measure(
        images.double(), targets.double(), data_range=255.0, reduction="none", return_full_image=True
    )
    assert score(images, targets).value == pytest.approx(float(full[..., 5:-5, 5:-5].mean()), rel=1e-9)
    assert score(images, targets).value == pytest.approx(float(padded.mean()), rel=0.1)
