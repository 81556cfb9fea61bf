from __future__ import annotations

import numpy as np
import torch

from gandiag.core.protocols import SourceInfo
from gandiag.evaluation.describe import find_warnings
from gandiag.evaluation.look import look, looks_swapped
from gandiag.sources.arrays import tensor_source


def photographs(seed, tint=(1.1, 1.0, 0.85), count=256, noise=0.0):
    """Smooth images whose colours go together, redder than blue as faces and landscapes are."""
    rng = np.random.default_rng(seed)
    grey = rng.uniform(40, 200, (count, 1, 1, 1)) + rng.normal(0, 20, (count, 1, 16, 16))
    colour = rng.normal(0, 15, (count, 3, 1, 1)) + noise * rng.normal(0, 40, (count, 3, 16, 16))
    values = (grey + colour) * np.array(tint)[:, None, None]
    return torch.from_numpy(values.clip(0, 255).astype(np.uint8))


def test_bgr_is_noticed_and_nothing_else_is():
    real = photographs(0)
    assert looks_swapped(photographs(1).flip(1), real)
    for other in (
        photographs(1),
        photographs(2, noise=1.0),
        photographs(3, tint=(1.3, 1, 1)),
        photographs(4, (1, 1, 1)),
    ):
        assert not looks_swapped(other, real)
    assert not looks_swapped(photographs(1, (1, 1, 1)).flip(1), photographs(0, (1, 1, 1)))
    assert not looks_swapped(photographs(1).flip(1)[:8], real)


def said(fake, real=None):
    return " ".join(look(tensor_source(fake), None if real is None else tensor_source(real), len(fake)))


def test_oddities_are_said():
    images = photographs(0)
    assert said(images, photographs(1)) == ""
    assert "swapped" in said(images.flip(1), photographs(1))
    assert "exact copies" in said(images[:128].repeat(2, 1, 1, 1))
    flat = images.clone()
    flat[:20] = 7
    assert "20 of the first 256 images" in said(flat)
    assert "one flat colour" in said(flat)
    assert "all but black" in said((images > 100).to(torch.uint8))
    assert "upper half" in said(images // 2 + 128, photographs(1))
    assert "lower half" in said(images // 2, photographs(1))
    assert said(torch.randn(100, 2)) == ""


def test_what_a_source_says_and_a_loss_on_one_side_are_warnings():
    from dataclasses import replace

    fake, real = tensor_source(photographs(0), "fake"), tensor_source(photographs(1), "real")
    assert list(find_warnings(fake, real, {}, 256, 256)) == []
    jpeg = replace(fake, info=replace(fake.info, lossy="JPEG", warnings=("alpha was dropped",)))
    found = " ".join(find_warnings(jpeg, real, {}, 256, 256))
    assert "alpha was dropped" in found
    assert "fake was compressed with loss (JPEG), and real was not" in found
    assert "real was compressed" in " ".join(find_warnings(real, jpeg, {}, 256, 256)).replace("fake was", "real was")
    both = replace(real, info=replace(real.info, lossy="WebP"))
    assert "compressed" not in " ".join(find_warnings(jpeg, both, {}, 256, 256))


def test_the_info_of_a_source_has_none_by_default():
    info = SourceInfo("a", "array", (2,), "none")
    assert (info.lossy, info.warnings) == (None, ())
