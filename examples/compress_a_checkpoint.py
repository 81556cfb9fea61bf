"""May the compressed model be released? Round a generator's weights to a few bits, and compare it with the original.

    python examples/compress_a_checkpoint.py CHECKPOINT OUT [BITS]
    gandiag compare OUT --baseline CHECKPOINT --metric fid,pr

Both make their samples from the same noise, so that the difference is known far better than either number.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor

import gandiag


def rounded(weights: Tensor, bits: int) -> Tensor:
    """Weights on 2^bits - 1 even steps between plus and minus the largest of each row."""
    if not weights.is_floating_point() or weights.ndim < 2:
        return weights
    levels = 2 ** (bits - 1) - 1
    scale = weights.flatten(1).abs().amax(dim=1).clamp_min(1e-12).view(-1, *[1] * (weights.ndim - 1)) / levels
    return (weights / scale).round() * scale


def main(source: str, out: str, bits: int = 8) -> None:
    """Write the compressed checkpoint, with the averaged weights alone."""
    checkpoint = gandiag.load_checkpoint(source)
    weights = checkpoint.generator if checkpoint.generator_ema is None else checkpoint.generator_ema
    gandiag.save_checkpoint(
        out,
        {name: rounded(value, bits) for name, value in weights.items()},
        builder=checkpoint.builder,
        config=checkpoint.config,
        latent=checkpoint.latent,
        image=checkpoint.image,
        conditioning=checkpoint.conditioning,
        dataset=checkpoint.dataset,
        step=checkpoint.step,
        recipe=checkpoint.recipe,
        metadata={**checkpoint.metadata, "compressed": f"{bits} bits a weight, by examples/compress_a_checkpoint.py"},
    )


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main(*sys.argv[1:3], *map(int, sys.argv[3:4]))
