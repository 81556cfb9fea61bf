"""The arithmetic of an extractor's forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from gandiag.core.protocols import Precision


@contextmanager
def arithmetic(device: str, precision: Precision) -> Iterator[None]:
    """Inference in full float32, in TF32 (matrix products on a GPU), or in bfloat16 by autocast."""
    with (
        _tf32(precision != "fp32"),
        torch.inference_mode(),
        torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16"),
    ):
        yield


@contextmanager
def _tf32(allow: bool) -> Iterator[None]:
    """TF32 or not, by the older of torch's two interfaces, which raises where the process has used the newer one."""
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


def stored_for(precision: Precision, network: nn.Module) -> None:
    """Keep the weights of products in bfloat16 where that is the precision, so that no batch converts them again."""
    if precision != "bf16":
        return
    for module in network.modules():
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if isinstance(weight, torch.Tensor) and weight.ndim >= 2:
            weight.data = weight.data.bfloat16()
            if isinstance(bias, torch.Tensor):
                bias.data = bias.data.bfloat16()
