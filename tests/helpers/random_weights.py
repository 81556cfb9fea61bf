"""Seeded random weights of the true shapes, for tests and benchmarks: published ones cannot be had everywhere."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from gandiag.extractors._inception_network import InceptionNetwork


class _Recorded:
    """Makes up each tensor that the network asks for, scaled so that activations neither vanish nor explode."""

    def __init__(self, seed: int) -> None:
        self.state: dict[str, Tensor] = {}
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, name: str, *shape: int) -> Tensor:
        self.state[name] = self._made(name, shape)
        return self.state[name]

    def _made(self, name: str, shape: tuple[int, ...]) -> Tensor:
        normal = torch.randn(shape, generator=self._generator)
        if name.endswith("conv.weight"):
            return normal * (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
        if name.endswith("bn.weight"):
            return 1 + 0.1 * normal
        if name.endswith("running_var"):
            return (0.2 * normal).exp()
        if name == "fc.weight":
            return normal * shape[1] ** -0.5
        return 0.1 * normal


def inception_weights(path: Path, seed: int = 0) -> Path:
    """Write a state dict of the FID Inception's shapes that gandiag and torch-fidelity both load."""
    recorded = _Recorded(seed)
    InceptionNetwork(recorded)
    torch.save(recorded.state, path)
    return path


def clip_state(*, width: int, depth: int, patch: int, grid: int, projection: int, seed: int = 0) -> dict[str, Tensor]:
    """A state dict of CLIP's image half, and the one tensor of the other half that loaders ask for."""
    made = _Seeded(seed)
    state = {
        "text_projection": made(8, projection),
        "visual.conv1.weight": made(width, 3, patch, patch, scale=0.02),
        "visual.class_embedding": made(width),
        "visual.positional_embedding": made(grid**2 + 1, width),
        "visual.proj": made(width, projection, scale=width**-0.5),
    }
    for norm in ("ln_pre", "ln_post"):
        state |= made.norm(f"visual.{norm}", width)
    for i in range(depth):
        block = f"visual.transformer.resblocks.{i}"
        state |= made.norm(f"{block}.ln_1", width) | made.norm(f"{block}.ln_2", width)
        state[f"{block}.attn.in_proj_weight"] = made(3 * width, width, scale=width**-0.5)
        state[f"{block}.attn.in_proj_bias"] = made(3 * width, scale=0.1)
        state |= made.affine(f"{block}.attn.out_proj", width, width)
        state |= made.affine(f"{block}.mlp.c_fc", width, 4 * width)
        state |= made.affine(f"{block}.mlp.c_proj", 4 * width, width)
    # Published in half precision; both sides then read the same values.
    return {name: value.half().float() for name, value in state.items()}


def dinov2_state(*, width: int, depth: int, gated: bool = False, seed: int = 0) -> dict[str, Tensor]:
    """A state dict of DINOv2 as it is published: 37 x 37 patches of 14 x 14 pixels."""
    made = _Seeded(seed)
    state = {
        "cls_token": made(1, 1, width),
        "pos_embed": made(1, 37**2 + 1, width),
        "mask_token": made(1, width),
        "patch_embed.proj.weight": made(width, 3, 14, 14, scale=0.02),
        "patch_embed.proj.bias": made(width, scale=0.1),
        **made.norm("norm", width),
    }
    hidden = (width * 8 // 3 + 7) // 8 * 8 if gated else 4 * width
    for i in range(depth):
        block = f"blocks.{i}"
        state |= made.norm(f"{block}.norm1", width) | made.norm(f"{block}.norm2", width)
        state |= made.affine(f"{block}.attn.qkv", width, 3 * width) | made.affine(f"{block}.attn.proj", width, width)
        up, down = ("mlp.w12", "mlp.w3") if gated else ("mlp.fc1", "mlp.fc2")
        state |= made.affine(f"{block}.{up}", width, 2 * hidden if gated else hidden)
        state |= made.affine(f"{block}.{down}", hidden, width)
        state |= {f"{block}.ls{part}.gamma": made(width) for part in (1, 2)}
    return state


class _Seeded:
    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int, scale: float = 1.0) -> Tensor:
        return scale * torch.randn(shape, generator=self._generator)

    def norm(self, name: str, width: int) -> dict[str, Tensor]:
        return {f"{name}.weight": 1 + self(width, scale=0.1), f"{name}.bias": self(width, scale=0.1)}

    def affine(self, name: str, inputs: int, outputs: int) -> dict[str, Tensor]:
        weight = self(outputs, inputs, scale=inputs**-0.5)
        return {f"{name}.weight": weight, f"{name}.bias": self(outputs, scale=0.1)}
