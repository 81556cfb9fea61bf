"""The data sets of the benchmark: small, and with modes that can be counted."""

from __future__ import annotations

import math
from functools import cache

import torch
from loop import Data
from torch import Tensor

import gandiag

TRAIN, HELD_OUT = 8000, 1000


@cache
def load(name: str) -> Data:
    """`ring`, `grid`, `digits` or `stacked`."""
    if name in ("ring", "grid"):
        return _mixture(name)
    return _digits({"digits": "mnist", "stacked": "stacked-mnist"}[name])


def _mixture(name: str) -> Data:
    if name == "ring":
        angles = torch.arange(8) * (2 * math.pi / 8)
        centres, deviation = 2 * torch.stack([angles.cos(), angles.sin()], dim=1), 0.1
    else:
        line = torch.arange(-2, 3) * 1.0
        centres, deviation = torch.cartesian_prod(line, line), 0.1
    random = torch.Generator().manual_seed(0)
    count = TRAIN + HELD_OUT
    chosen = centres[torch.randint(len(centres), (count,), generator=random)]
    points = chosen + deviation * torch.randn(count, 2, generator=random)

    def look(fake: Tensor) -> dict[str, float]:
        distance, nearest = torch.cdist(fake, centres, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1)
        close = distance < 4 * deviation
        counts = torch.bincount(nearest[close], minlength=len(centres))
        return {"modes": float((counts >= 0.2 * LOOKED / len(centres)).sum()), "quality": float(close.float().mean())}

    return Data(points[:TRAIN], points[TRAIN:], look, len(centres))


LOOKED = 1000


def _digits(name: str) -> Data:
    train, test = (gandiag.load_dataset(name, split=split) for split in ("train", "test"))
    images = train.read(0, TRAIN).float() / 127.5 - 1
    others = test.read(0, HELD_OUT).float() / 127.5 - 1
    from gandiag.core.protocols import ExtractorOptions
    from gandiag.extractors import open_extractor

    extractor = open_extractor("digits", ExtractorOptions("cpu", "fp32", None, None, False))
    real = extractor(others.add(1).mul(127.5).round().to(torch.uint8)).features.double()

    def look(fake: Tensor) -> dict[str, float]:
        pixels = fake.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        found = extractor(pixels[:500])
        logits = found.logits
        if logits is None:
            raise RuntimeError("the digits extractor gave no logits")
        chances = logits.float().softmax(dim=-1)[:, 0]
        classes = torch.bincount(chances.argmax(dim=1), minlength=10)
        features = found.features.double()
        distance = float((features.mean(0) - real.mean(0)).square().sum() / real.var(0).sum())
        return {
            "modes": float((classes >= 5).sum()),
            "quality": float(chances.max(dim=1).values.mean()),
            "distance": distance,
        }

    return Data(images, others, look, 10)
