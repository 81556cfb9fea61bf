"""A small convolutional classifier that is trained in seconds, from weights and batches that a seed draws."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

BATCH = 64
EPOCHS = 6
LARGEST = 32  # pixels a side that the network sees; larger images are made smaller
WIDTHS = (16, 32)
KERNEL = 5
GRID = 4  # the last layer sees the image as GRID x GRID cells
RATE = 4e-3
DECAY, DECAY_SQUARE, TINY = 0.9, 0.999, 1e-8  # Adam's
TESTED = 512  # images looked at together


def train_classifier(images: Tensor, labels: Tensor, classes: int, steps: int, rng: np.random.Generator) -> nn.Module:
    """A classifier of uint8 images (n, C, H, W) with labels (n,) from 0 to `classes` - 1.

    With labels (n, C), one a channel, each channel is an image by itself. Every image is seen about equally often, and
    EPOCHS times at most.
    """
    images, labels = _single(images, labels), labels.flatten()
    steps = min(steps, -(-EPOCHS * len(images) // BATCH))
    # The caller may be in inference mode, in which nothing learns.
    with torch.inference_mode(False), torch.enable_grad(), torch.backends.cudnn.flags(benchmark=False):
        network = _network(images.shape[1], classes, rng).to(images.device)
        images, labels = images.clone(), labels.clone()
        weights = list(network.parameters())
        first, second = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
        order = np.concatenate([rng.permutation(len(images)) for _ in range(-(-steps * BATCH // len(images)))])
        for step in range(steps):
            chosen = torch.from_numpy(order[step * BATCH : (step + 1) * BATCH]).to(images.device)
            loss = functional.cross_entropy(network(_prepared(images[chosen])), labels[chosen])
            _adam(weights, torch.autograd.grad(loss, weights), first, second, step + 1, RATE * _warm(step / steps))
    return network.eval().requires_grad_(False)


def correct_answers(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """1 where the classifier is right and 0 where it is not, float64, in the shape of the labels."""
    parts = torch.split(_single(images, labels), TESTED)
    answers = [network(_prepared(part)).argmax(dim=1) for part in parts]
    return (torch.cat(answers).view(labels.shape) == labels).double()


def _adam(
    weights: Sequence[Tensor],
    slopes: Sequence[Tensor],
    first: list[Tensor],
    second: list[Tensor],
    step: int,
    rate: float,
) -> None:
    """One step of Adam in place; `torch.optim` spends seconds on imports before its first."""
    with torch.no_grad():
        for weight, slope, mean, square in zip(weights, slopes, first, second, strict=True):
            mean.lerp_(slope, 1 - DECAY)
            square.lerp_(slope.square(), 1 - DECAY_SQUARE)
            size = (square / (1 - DECAY_SQUARE**step)).sqrt_().add_(TINY)
            weight.addcdiv_(mean, size, value=-rate / (1 - DECAY**step))


def _warm(progress: float) -> float:
    """Share of the learning rate: rising for a tenth of the training, then falling to 0 along a cosine."""
    return progress / 0.1 if progress < 0.1 else 0.5 + 0.5 * math.cos(math.pi * (progress - 0.1) / 0.9)


def _network(channels: int, classes: int, rng: np.random.Generator) -> nn.Module:
    layers: list[nn.Module] = []
    for width in WIDTHS:
        convolution = nn.Conv2d(channels, width, KERNEL, stride=2, padding=KERNEL // 2, device="meta")
        layers += [_drawn(convolution, rng), nn.ReLU()]
        channels = width
    head = nn.Linear(channels * GRID**2, classes, device="meta")
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(GRID), nn.Flatten(), _drawn(head, rng))


def _drawn(layer: nn.Conv2d | nn.Linear, rng: np.random.Generator) -> nn.Module:
    """The layer with He's normal weights from the generator; PyTorch's own would come from the global one."""
    layer = layer.to_empty(device="cpu")
    deviation = math.sqrt(2 / layer.weight[0].numel())
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(rng.normal(0, deviation, tuple(layer.weight.shape))))
        if layer.bias is not None:
            layer.bias.zero_()
    return layer


def _single(images: Tensor, labels: Tensor) -> Tensor:
    """The images that have one label each: the channels, where each channel has its own."""
    return images.flatten(0, 1)[:, None] if labels.ndim == 2 else images


def _prepared(images: Tensor) -> Tensor:
    """Values around 0, at most LARGEST pixels a side."""
    values = images.float() / 127.5 - 1
    if max(values.shape[2:]) > LARGEST:
        values = functional.interpolate(values, size=[min(side, LARGEST) for side in values.shape[2:]], mode="area")
    return values.contiguous(memory_format=torch.channels_last)
