"""How alike two images are: PSNR, SSIM, and distances of the feature maps of a classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import gandiag
from gandiag import ExtractorOptions, UsageError

EXTRACTORS = ("digits", "vgg16")
WINDOW, DEVIATION = 11, 1.5  # of SSIM's Gaussian
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which VGG was trained on


def psnr(images: Tensor, targets: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, (n,), of images (n, C, H, W) in [-1, 1]; at most 100, for equal ones."""
    error = (images - targets).square().flatten(1).mean(1)
    return 10 * (4 / error.clamp_min(4e-10)).log10()


def ssim(images: Tensor, targets: Tensor) -> Tensor:
    """Structural similarity, (n,), of images (n, C, H, W) in [-1, 1] of 11 pixels a side or more.

    Mean over channels and over the places of a Gaussian window of 11 x 11 within the image. Source: Wang et al., Image
    quality assessment: from error visibility to structural similarity, 2004, with its constants 0.01 and 0.03.
    """
    # It compares means too, so values have to begin at black; in double, for flat windows lose their variance in float.
    images, targets = images.double() + 1, targets.double() + 1
    places = torch.arange(WINDOW, device=images.device) - WINDOW // 2
    weights = (-places.square() / (2 * DEVIATION**2)).exp()
    window = torch.outer(weights, weights).div(weights.sum() ** 2)[None, None].to(images)

    def local(values: Tensor) -> Tensor:
        return functional.conv2d(values.flatten(0, 1)[:, None], window)

    one, other = local(images), local(targets)
    variances = local(images.square()) - one.square() + local(targets.square()) - other.square()
    covariance = local(images * targets) - one * other
    small, large = (2 * 0.01) ** 2, (2 * 0.03) ** 2  # the range of values is 2
    found = (2 * one * other + small) * (2 * covariance + large)
    found = found / ((one.square() + other.square() + small) * (variances + large))
    return found.view(len(images), -1).mean(1)


class Perception:
    """The feature maps of one of gandiag's extractors, differentiable with respect to the images.

    They are what stands before each pooling: two maps of `digits`, five of `vgg16`, the layers that LPIPS takes.

    Args:
        name: `digits`, each channel by itself, or `vgg16`.
        device: where the images are.
        weights: file with VGG's weights; None for those that `gandiag weights fetch vgg16` got.

    Raises:
        MissingDataError: there are no weights.
    """

    def __init__(self, name: str, device: torch.device, weights: str | None = None) -> None:
        options = ExtractorOptions(device=str(device), weights=None if weights is None else Path(weights))
        network: Any = gandiag.open_extractor(name, options).network  # type: ignore[attr-defined]
        self.name = name
        self._layers: nn.Sequential = network.body if name == "digits" else network[0]
        self._network = network

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse images that it cannot see.

        Raises:
            UsageError: `digits` and another size than 28 x 28.
        """
        if self.name == "digits" and shape[1:] != (28, 28):
            message = f"the features of digits are those of 28 x 28 images, and these have {shape[1]} x {shape[2]}"
            raise UsageError(f"{message}; set task.perceptual=vgg16 or task.perceptual=none")

    def maps(self, images: Tensor) -> list[Tensor]:
        """Feature maps of images (n, C, H, W) in [-1, 1]."""
        values, found = self._prepared(images), []
        for layer in self._layers:
            if isinstance(layer, nn.MaxPool2d):
                found.append(values)
            if isinstance(layer, nn.Flatten):
                break
            values = layer(values)
        return found

    def classes(self, images: Tensor) -> Tensor:
        """What `digits` takes images (n, C, 28, 28) for: classes (n, C)."""
        logits: Tensor = self._network(self._prepared(images))[1]
        return logits.argmax(1).view(len(images), -1)

    def _prepared(self, images: Tensor) -> Tensor:
        values = (images.float() + 1) / 2
        if self.name == "digits":
            return values.flatten(0, 1)[:, None]
        colours = values.expand(-1, 3, -1, -1)
        mean, spread = (colours.new_tensor(numbers)[:, None, None] for numbers in (MEAN, SPREAD))
        return (colours - mean) / spread


def perceptual_distance(images: list[Tensor], targets: list[Tensor], count: int) -> Tensor:
    """Distance of feature maps, (count,), as in LPIPS (arXiv:1801.03924, equation 1) with equal weights.

    Vectors of channels become unit vectors; squared differences are summed over channels, averaged over places, and
    summed over the layers. Maps of several channels of one image are averaged.
    """
    total = torch.zeros(count, device=images[0].device)
    for one, other in zip(images, targets, strict=True):
        difference = (functional.normalize(one, dim=1) - functional.normalize(other, dim=1)).square().sum(1)
        total = total + difference.reshape(count, -1).mean(1)
    return total
