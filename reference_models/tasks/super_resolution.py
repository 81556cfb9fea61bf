"""Super-resolution: images from themselves made smaller; content, perceptual and adversarial loss."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from gandiag import UsageError
from reference_models.networks.resampling import bicubic, shrunk
from reference_models.tasks._similarity import EXTRACTORS, WINDOW, Perception, perceptual_distance, psnr, ssim
from reference_models.tasks._task import Finding, Networks, Shapes, Side, Task, choice, images_of, number, text
from reference_models.training.data import Data, to_range

NAME = "super_resolution"
BATCH = 100  # images that are scored at a time


class SuperResolution(Task):
    """Source: SRGAN, arXiv:1609.04802, equation 3.

    Args:
        scale: how many times smaller the input is: 2 or 4.
        content: `l1` or `mse`, the distance of pixels.
        content_weight: of it.
        perceptual: whose features are compared: `digits`, `vgg16`, or `none`.
        perceptual_weight: of the mean squared difference of the last maps before a pooling; the paper's VGG5,4 are of
            VGG19.
        perceptual_weights: file with the weights of `vgg16`; those that were fetched without it.
        adversarial_weight: of the adversarial loss; 0 gives the paper's SRResNet.
    """

    def __init__(
        self,
        scale: int = 4,
        content: str = "l1",
        content_weight: float = 1.0,
        perceptual: str = "digits",
        perceptual_weight: float = 0.01,
        perceptual_weights: str | None = None,
        adversarial_weight: float = 1e-3,
    ) -> None:
        choice(NAME, "scale", scale, (2, 4))
        choice(NAME, "content", content, ("l1", "mse"))
        choice(NAME, "perceptual", perceptual, (*EXTRACTORS, "none"))
        self.scale, self.content, self.perceptual = scale, content, perceptual
        self.weights = text(NAME, "perceptual_weights", perceptual_weights)
        self.content_weight = number(NAME, "content_weight", content_weight)
        self.perceptual_weight = number(NAME, "perceptual_weight", perceptual_weight)
        self.adversarial_weight = number(NAME, "adversarial_weight", adversarial_weight)
        self._perception: Perception | None = None
        self._device = torch.device("cpu")

    def begin(self, data: Data, device: torch.device) -> Mapping[str, Shapes]:
        """Open the extractor."""
        self._device = device
        channels, height, width = shape = images_of(data, NAME)
        if height % self.scale or width % self.scale or min(height, width) < WINDOW:
            message = f"task {NAME}: images of {height} x {width} cannot be made {self.scale} times smaller"
            raise UsageError(f"{message}; choose another task.scale or --dataset")
        if self.perceptual != "none":
            self._perception = Perception(self.perceptual, device, self.weights)
            self._perception.check(shape)
        return {"there": Shapes((channels, height // self.scale, width // self.scale), shape)}

    def streams(self, data: Data) -> Mapping[str, Data]:
        """One."""
        return {"images": data}

    def sides(self, batches: Mapping[str, Tensor]) -> dict[str, Side]:
        """The images made smaller, and themselves."""
        return {"there": Side(shrunk(batches["images"], self.scale), batches["images"])}

    def generator_config(self) -> dict[str, object]:
        """The scale."""
        return {"scale": self.scale}

    def losses(self, generators: Networks, sides: Mapping[str, Side], made: Mapping[str, Tensor]) -> Tensor:
        """Content and perceptual loss."""
        images, targets = made["there"], sides["there"].real
        distance = functional.l1_loss if self.content == "l1" else functional.mse_loss
        total = self.content_weight * distance(images, targets)
        if self._perception is not None and self.perceptual_weight:
            with torch.no_grad():
                wanted = self._perception.maps(targets)[-1]
            total = total + self.perceptual_weight * functional.mse_loss(self._perception.maps(images)[-1], wanted)
        return total

    def scores(self, generators: Networks, data: Data, count: int) -> dict[str, Finding]:
        """PSNR in dB, SSIM and, where there are features, their distance; the same of bicubic interpolation."""
        totals: dict[str, float] = {}
        for start in range(0, count, BATCH):
            side = self._read(data, start, min(start + BATCH, count))
            for suffix, images in (
                ("", generators["there"](side.input).clamp(-1, 1)),
                ("_bicubic", bicubic(side.input, self.scale).clamp(-1, 1)),
            ):
                found = {"psnr": psnr(images, side.real), "ssim": ssim(images, side.real)}
                if self._perception is not None:
                    maps = self._perception.maps(images), self._perception.maps(side.real)
                    found["perceptual_distance"] = perceptual_distance(*maps, count=len(images))
                for name, values in found.items():
                    totals[name + suffix] = totals.get(name + suffix, 0.0) + float(values.double().sum())
        better = {"psnr": "higher", "ssim": "higher", "perceptual_distance": "lower"}
        return {name: Finding(total / count, better.get(name)) for name, total in totals.items()}

    def preview(self, generators: Networks, data: Data, count: int) -> list[list[Tensor]]:
        """Input, bicubic interpolation, output, target."""
        side = self._read(data, 0, count)
        enlarged = functional.interpolate(side.input, scale_factor=self.scale, mode="nearest")
        return [[enlarged, bicubic(side.input, self.scale), generators["there"](side.input), side.real]]

    def _read(self, data: Data, start: int, stop: int) -> Side:
        images = to_range(data.read(start, stop))
        return self.sides({"images": images.to(self._device)})["there"]


TASK = SuperResolution
