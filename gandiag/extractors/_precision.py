"""The arithmetic of an extractor's forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from gandiag.core.protocols import Precision
from gandiag.statistics.arithmetic import tf32_allowed


@contextmanager
def arithmetic(device: str, precision: Precision) -> Iterator[None]:
    """Inference in full float32, in TF32 (matrix products on a GPU), or in bfloat16 by autocast."""
    with (
        tf32_allowed(precision != "fp32"),
        torch.inference_mode(),
        torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16"),
    ):
        yield


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
