"""PSNR of pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from gandiag.core.errors import InputError
from gandiag.metrics.psnr import psnr
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.pairs import enlarged


def pixels(count, size=16, channels=3, seed=0):
    drawn = np.random.default_rng(seed).integers(20, 236, (count, channels, size, size))
    return torch.from_numpy(drawn.astype(np.uint8))


def score(images, targets, inputs=None):
    return psnr(fake=FeatureBank(images=images, targets=targets, inputs=inputs))["psnr"]


def test_by_hand():
    """All pixels off by 1, by 2 and by 10 grey levels: 20 log10(255 / difference)."""
    targets = pixels(3)
    images = targets + torch.tensor([1, 2, 10], dtype=torch.uint8)[:, None, None, None]
    found = score(images, targets)
    values = [20 * math.log10(255 / difference) for difference in (1, 2, 10)]
    assert found.value == pytest.approx(np.mean(values), rel=1e-12)
    assert found.stderr == pytest.approx(np.std(values, ddof=1) / math.sqrt(3), rel=1e-12)
    assert found.details["pooled"] == pytest.approx(10 * math.log10(255**2 / ((1 + 4 + 100) / 3)), rel=1e-12)
    assert [each["index"] for each in found.details["worst"]] == [2, 1, 0]
    assert found.details["best"][0] == {"index": 0, "value": pytest.approx(values[0])}
    assert found.better == "higher"
    assert found.n_real is None


def test_bytes_do_not_wrap():
    black, white = torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.full((2, 1, 4, 4), 255, dtype=torch.uint8)
    assert score(black, white).value == pytest.approx(0, abs=1e-12)


def test_one_pair_has_no_error_bar():
    found = score(pixels(1) + 1, pixels(1))
    assert found.stderr is None
    assert found.error_method.startswith("none")


def test_identical_pairs_are_left_out_and_said():
    targets = pixels(3)
    images = targets.clone()
    images[0] += 1
    found = score(images, targets)
    assert found.status == "unreliable"
    assert "2 of 3" in found.reason
    assert found.value == pytest.approx(20 * math.log10(255))
    same = score(targets, targets)
    assert same.status == "undefined"
    assert "infinite" in same.reason
    assert score(targets[:0], targets[:0]).status == "undefined"


def test_grey_against_colour_compares_the_grey_with_each_channel():
    colour = pixels(2)
    grey = pixels(2, channels=1, seed=1)
    assert score(grey, colour) == score(grey.repeat(1, 3, 1, 1), colour)


def test_what_is_no_pair_is_refused():
    with pytest.raises(InputError, match="holds none"):
        psnr(fake=FeatureBank(images=pixels(2)))
    with pytest.raises(InputError, match=r"16, 16.*8, 8"):
        score(pixels(2), pixels(2, size=8))
    with pytest.raises(InputError, match="2 images and 3 targets"):
        score(pixels(2), pixels(3))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_baseline_is_pillows_bicubic(scale):
    """On floats; on bytes Pillow rounds between its two passes too, which is a grey level's difference at most."""
    small = pixels(3, size=12, channels=1)
    found = enlarged(small, (1, 12 * scale, 12 * scale))[:, 0].int()
    for made, image in zip(found.numpy(), small[:, 0].numpy(), strict=True):
        floats, whole = (
            np.array(Image.fromarray(each).resize((12 * scale,) * 2, Image.Resampling.BICUBIC))
            for each in (image.astype(np.float32), image)
        )
        assert np.abs(made - floats.clip(0, 255)).max() <= 0.5 + 1e-4
        assert np.abs(made - whole.astype(int)).max() <= 1


def test_the_gain_over_bicubic():
    inputs = pixels(4, size=8)
    baseline = enlarged(inputs, (3, 16, 16))
    targets = torch.where(baseline < 128, baseline + 4, baseline - 4)  # off by four: 36.1 dB
    images = torch.where(baseline < 128, baseline + 2, baseline - 2)  # half of that: 6 dB more
    details = score(images, targets, inputs).details
    assert details["bicubic"] == pytest.approx(20 * math.log10(255 / 4))
    assert details["over_bicubic"] == pytest.approx(20 * math.log10(2))
    assert details["over_bicubic_stderr"] == pytest.approx(0, abs=1e-9)
    for shape in ((3, 16, 24), (3, 8, 8), (3, 20, 20), (1, 16, 16)):
        assert enlarged(inputs, shape) is None


@pytest.mark.parity
def test_it_equals_torchmetrics(normal):
    """Its default pools the error over all pairs; with `dim` it takes the mean over pairs. It computes in float32."""
    peer = pytest.importorskip("torchmetrics.functional.image")
    targets = pixels(6)
    images = (targets + 9 * normal(6, 3, 16, 16)).round().clamp(0, 255).byte()
    found = score(images, targets)
    options = {"data_range": 255.0}
    each = peer.peak_signal_noise_ratio(images.double(), targets.double(), dim=(1, 2, 3), **options)
    pooled = peer.peak_signal_noise_ratio(images.double(), targets.double(), **options)
    assert found.value == pytest.approx(float(each), rel=1e-6)
    assert found.details["pooled"] == pytest.approx(float(pooled), rel=1e-6)
