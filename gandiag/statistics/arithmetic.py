"""The arithmetic of networks: what a GPU may round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def tf32_allowed(allow: bool) -> Iterator[None]:
    """Matrix products and convolutions of a GPU may round to TF32, or may not; torch's default is that convolutions do.

    Of torch's two interfaces it takes the older one, which raises where the process has used the newer one.
    """
    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    try:
        before = cudnn.allow_tf32, matmul.allow_tf32
    except RuntimeError:
        parts = (matmul, cudnn.conv, cudnn.rnn)
        wanted = [part.fp32_precision for part in parts]
        try:
            for part in parts:
                part.fp32_precision = "tf32" if allow else "ieee"
            yield
        finally:
            for part, precision in zip(parts, wanted, strict=True):
                part.fp32_precision = precision
        return
    cudnn.allow_tf32, matmul.allow_tf32 = allow, allow
    try:
        yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before
