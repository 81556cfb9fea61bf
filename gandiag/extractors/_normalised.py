"""The input of networks that want each colour with mean 0 and deviation 1 over the pictures that they learnt from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.extractors._preprocessing import Preprocessing


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of red, green and blue, on a scale from 0 to 1."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = Normalisation((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def network_input(images: Tensor, size: int, preprocessing: Preprocessing, normalisation: Normalisation) -> Tensor:
    """Images (n, 3, H, W) from 0 to 255, resized and normalised: (n, 3, size, size), channels last."""
    resized = preprocessing.resize(images.float(), size)
    mean = torch.tensor(normalisation.mean, device=images.device).mul(preprocessing.white)[:, None, None]
    deviation = torch.tensor(normalisation.deviation, device=images.device).mul(preprocessing.white)[:, None, None]
    return resized.sub(mean).div_(deviation).contiguous(memory_format=torch.channels_last)
