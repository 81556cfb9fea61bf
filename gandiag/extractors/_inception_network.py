"""The Inception v3 of the FID, arranged for speed: normalisation folded, first layers of a block merged."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from gandiag.extractors._state import Weights

SIZE = 299
FEATURES = 2048
CLASSES = 1008
SPATIAL = 7  # channels of the spatial features, as guided-diffusion's sFID takes them
EPSILON = 1e-3  # of the batch normalisation


class Convolution(nn.Module):
    """A convolution with the batch normalisation that follows it folded in, and a rectifier."""

    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        weights: Weights,
        name: str,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int] = (1, 1),
        *,
        stride: int = 1,
        pad: bool = False,
    ) -> None:
        super().__init__()
        weight, bias = _folded(weights, name, inputs, outputs, kernel)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.stride = stride
        self.padding = (kernel[0] // 2, kernel[1] // 2) if pad else (0, 0)

    def forward(self, images: Tensor) -> Tensor:
        return functional.conv2d(images, self.weight, self.bias, self.stride, self.padding).relu_()


class Branches(nn.Module):
    """The 1x1 convolutions with which the branches of a block begin, done as one.

    Averaging commutes with a 1x1 convolution, so the branch that pools first, the last one, is pooled after it, over
    fewer channels; what it gives is not yet rectified.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, weights: Weights, inputs: int, branches: Mapping[str, int]) -> None:
        super().__init__()
        folded = [_folded(weights, name, inputs, outputs, (1, 1)) for name, outputs in branches.items()]
        self.register_buffer("weight", torch.cat([weight for weight, _ in folded]))
        self.register_buffer("bias", torch.cat([bias for _, bias in folded]))
        self.outputs = list(branches.values())

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return torch.split(functional.conv2d(images, self.weight, self.bias), self.outputs, dim=1)


class BlockA(nn.Module):
    """Mixed_5b to Mixed_5d, at 35 x 35."""

    def __init__(self, weights: Weights, name: str, inputs: int, pooled: int) -> None:
        super().__init__()
        first = {"branch1x1": 64, "branch5x5_1": 48, "branch3x3dbl_1": 64, "branch_pool": pooled}
        self.first = Branches(weights, inputs, _prefixed(name, first))
        self.five = Convolution(weights, f"{name}.branch5x5_2", 48, 64, (5, 5), pad=True)
        self.twice = nn.Sequential(
            Convolution(weights, f"{name}.branch3x3dbl_2", 64, 96, (3, 3), pad=True),
            Convolution(weights, f"{name}.branch3x3dbl_3", 96, 96, (3, 3), pad=True),
        )

    def forward(self, images: Tensor) -> Tensor:
        one, five, double, pool = self.first(images)
        return torch.cat([one.relu(), self.five(five.relu()), self.twice(double.relu()), _averaged(pool)], dim=1)


class BlockB(nn.Module):
    """Mixed_6a, from 35 x 35 to 17 x 17."""

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        self.three = Convolution(weights, f"{name}.branch3x3", 288, 384, (3, 3), stride=2)
        self.twice = nn.Sequential(
            Convolution(weights, f"{name}.branch3x3dbl_1", 288, 64),
            Convolution(weights, f"{name}.branch3x3dbl_2", 64, 96, (3, 3), pad=True),
            Convolution(weights, f"{name}.branch3x3dbl_3", 96, 96, (3, 3), stride=2),
        )

    def forward(self, images: Tensor) -> Tensor:
        pool = functional.max_pool2d(images, 3, stride=2)
        return torch.cat([self.three(images), self.twice(images), pool], dim=1)


class BlockC(nn.Module):
    """Mixed_6b to Mixed_6e, at 17 x 17."""

    def __init__(self, weights: Weights, name: str, middle: int) -> None:
        super().__init__()
        first = {"branch1x1": 192, "branch7x7_1": middle, "branch7x7dbl_1": middle, "branch_pool": 192}
        self.first = Branches(weights, 768, _prefixed(name, first))
        self.seven = nn.Sequential(
            Convolution(weights, f"{name}.branch7x7_2", middle, middle, (1, 7), pad=True),
            Convolution(weights, f"{name}.branch7x7_3", middle, 192, (7, 1), pad=True),
        )
        self.twice = nn.Sequential(
            Convolution(weights, f"{name}.branch7x7dbl_2", middle, middle, (7, 1), pad=True),
            Convolution(weights, f"{name}.branch7x7dbl_3", middle, middle, (1, 7), pad=True),
            Convolution(weights, f"{name}.branch7x7dbl_4", middle, middle, (7, 1), pad=True),
            Convolution(weights, f"{name}.branch7x7dbl_5", middle, 192, (1, 7), pad=True),
        )

    def forward(self, images: Tensor) -> Tensor:
        one, seven, double, pool = self.first(images)
        return torch.cat([one.relu(), self.seven(seven.relu()), self.twice(double.relu()), _averaged(pool)], dim=1)


class BlockD(nn.Module):
    """Mixed_7a, from 17 x 17 to 8 x 8."""

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        self.first = Branches(weights, 768, _prefixed(name, {"branch3x3_1": 192, "branch7x7x3_1": 192}))
        self.three = Convolution(weights, f"{name}.branch3x3_2", 192, 320, (3, 3), stride=2)
        self.seven = nn.Sequential(
            Convolution(weights, f"{name}.branch7x7x3_2", 192, 192, (1, 7), pad=True),
            Convolution(weights, f"{name}.branch7x7x3_3", 192, 192, (7, 1), pad=True),
            Convolution(weights, f"{name}.branch7x7x3_4", 192, 192, (3, 3), stride=2),
        )

    def forward(self, images: Tensor) -> Tensor:
        three, seven = self.first(images)
        pool = functional.max_pool2d(images, 3, stride=2)
        return torch.cat([self.three(three.relu()), self.seven(seven.relu()), pool], dim=1)


class BlockE(nn.Module):
    """Mixed_7b and Mixed_7c, at 8 x 8; the last pools by the maximum, an oddity of the published network."""

    def __init__(self, weights: Weights, name: str, inputs: int, *, maximum: bool) -> None:
        super().__init__()
        first = {"branch1x1": 320, "branch3x3_1": 384, "branch3x3dbl_1": 448}
        self.pool = Convolution(weights, f"{name}.branch_pool", inputs, 192) if maximum else None
        self.first = Branches(weights, inputs, _prefixed(name, first if maximum else {**first, "branch_pool": 192}))
        self.wide = Convolution(weights, f"{name}.branch3x3_2a", 384, 384, (1, 3), pad=True)
        self.tall = Convolution(weights, f"{name}.branch3x3_2b", 384, 384, (3, 1), pad=True)
        self.twice = Convolution(weights, f"{name}.branch3x3dbl_2", 448, 384, (3, 3), pad=True)
        self.twice_wide = Convolution(weights, f"{name}.branch3x3dbl_3a", 384, 384, (1, 3), pad=True)
        self.twice_tall = Convolution(weights, f"{name}.branch3x3dbl_3b", 384, 384, (3, 1), pad=True)

    def forward(self, images: Tensor) -> Tensor:
        one, three, double, *pools = self.first(images)
        three, double = three.relu(), self.twice(double.relu())
        if self.pool is None:
            pool = _averaged(pools[0])
        else:
            pool = self.pool(functional.max_pool2d(images, 3, stride=1, padding=1))
        threes = self.wide(three), self.tall(three)
        doubles = self.twice_wide(double), self.twice_tall(double)
        return torch.cat([one.relu(), *threes, *doubles, pool], dim=1)


class InceptionNetwork(nn.Module):
    """Inception v3 as it was published for TensorFlow 1 on 2015-12-05 (arXiv 1512.00567), with its oddities.

    Takes (n, 3, 299, 299), about -1 to 1. Gives features (n, 2048), the last pool, from which `logits` are, without
    their bias as the Inception score takes them; and the spatial features (n, 17 * 17 * 7), the first channels of the
    1x1 branch of Mixed_6d (`mixed_6/conv:0` of the graph), position before channel as guided-diffusion lays them out.

    `stem` is the part before the blocks, where images are largest: slices of a batch may go through it one by one,
    and `blocks` takes what it gives.
    """

    classes: Tensor

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            Convolution(weights, "Conv2d_1a_3x3", 3, 32, (3, 3), stride=2),
            Convolution(weights, "Conv2d_2a_3x3", 32, 32, (3, 3)),
            Convolution(weights, "Conv2d_2b_3x3", 32, 64, (3, 3), pad=True),
            nn.MaxPool2d(3, stride=2),
            Convolution(weights, "Conv2d_3b_1x1", 64, 80),
            Convolution(weights, "Conv2d_4a_3x3", 80, 192, (3, 3)),
            nn.MaxPool2d(3, stride=2),
        )
        self.bottom = nn.Sequential(
            BlockA(weights, "Mixed_5b", 192, 32),
            BlockA(weights, "Mixed_5c", 256, 64),
            BlockA(weights, "Mixed_5d", 288, 64),
            BlockB(weights, "Mixed_6a"),
            BlockC(weights, "Mixed_6b", 128),
            BlockC(weights, "Mixed_6c", 160),
        )
        self.middle = BlockC(weights, "Mixed_6d", 160)
        self.top = nn.Sequential(
            BlockC(weights, "Mixed_6e", 192),
            BlockD(weights, "Mixed_7a"),
            BlockE(weights, "Mixed_7b", 1280, maximum=False),
            BlockE(weights, "Mixed_7c", 2048, maximum=True),
        )
        self.register_buffer("classes", weights("fc.weight", CLASSES, FEATURES))
        weights("fc.bias", CLASSES)

    def blocks(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and spatial features for what the stem gives, (n, 192, 35, 35)."""
        middle = self.middle(self.bottom(images))
        spatial = middle[:, :SPATIAL].permute(0, 2, 3, 1).flatten(1)
        return self.top(middle).float().mean(dim=(2, 3)), spatial.float()

    def logits(self, features: Tensor) -> Tensor:
        """Logits (n, 1008) without their bias, for features."""
        return functional.linear(features, self.classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and spatial features."""
        return self.blocks(self.stem(images))


def _folded(weights: Weights, name: str, inputs: int, outputs: int, kernel: tuple[int, int]) -> tuple[Tensor, Tensor]:
    weight = weights(f"{name}.conv.weight", outputs, inputs, *kernel).double()
    gain, shift = weights(f"{name}.bn.weight", outputs).double(), weights(f"{name}.bn.bias", outputs).double()
    mean = weights(f"{name}.bn.running_mean", outputs).double()
    variance = weights(f"{name}.bn.running_var", outputs).double()
    scale = gain / (variance + EPSILON).sqrt()
    return (weight * scale[:, None, None, None]).float(), (shift - mean * scale).float()


def _averaged(images: Tensor) -> Tensor:
    return functional.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False).relu_()


def _prefixed(name: str, branches: Mapping[str, int]) -> dict[str, int]:
    return {f"{name}.{branch}": outputs for branch, outputs in branches.items()}
