"""The 10,000 real digits that come with gandiag; `data/ORIGIN.md` says where they are from."""

from __future__ import annotations

import hashlib
import lzma
from functools import cache
from importlib.resources import files

import torch
from torch import Tensor

from gandiag.core.errors import MissingDataError
from gandiag.core.protocols import DatasetOptions

COUNT = 10_000
TRAIN = 8_000
SHA256 = "3b9cd4fe303b5eb347e1c964f71224924d31698d43bddf3307f0c807b727b539"


def digit_arrays(options: DatasetOptions) -> tuple[Tensor, Tensor]:
    """Images uint8 (n, 1, 28, 28) and classes int64 (n,): the full MNIST under `root`, else the embedded digits."""
    if options.root is not None:
        from torchvision.datasets import MNIST

        from gandiag.datasets._torchvision import published_arrays

        return published_arrays("mnist", MNIST, options)
    images, classes = _embedded()
    part = slice(TRAIN) if options.split == "train" else slice(TRAIN, COUNT)
    return images[part], classes[part]


@cache
def _embedded() -> tuple[Tensor, Tensor]:
    content = lzma.decompress(files("gandiag.datasets").joinpath("data/digits.xz").read_bytes())
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise MissingDataError("the embedded digits are damaged: install gandiag again")
    values = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    return values[COUNT:].view(COUNT, 1, 28, 28), values[:COUNT].long()
