"""The arithmetic of an extractor's forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from gandiag.core.protocols import Precision


@contextmanager
def arithmetic(device: str, precision: Precision) -> Iterator[None]:
    """Inference in full float32, in TF32 (matrix products on a GPU), or in bfloat16 by autocast."""
    previous = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    allow = precision != "fp32"
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = allow, allow
    try:
        with (
            torch.inference_mode(),
            torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16"),
        ):
            yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = previous
