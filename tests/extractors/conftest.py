from __future__ import annotations

import pytest
import torch
from random_weights import inception_weights


@pytest.fixture(scope="session")
def inception_file(tmp_path_factory):
    return inception_weights(tmp_path_factory.mktemp("weights") / "inception.pth")


@pytest.fixture(scope="session")
def pictures():
    """Some smooth and some noisy colour images, uint8 (6, 3, 40, 32)."""
    generator = torch.Generator().manual_seed(3)
    rough = torch.rand(6, 3, 5, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(rough, (40, 32), mode="bilinear", align_corners=False)
    noise = torch.rand(6, 3, 40, 32, generator=generator)
    share = torch.linspace(0, 1, 6)[:, None, None, None]
    return (255 * (smooth * (1 - share) + noise * share)).round().to(torch.uint8)
