"""What the DINOv2 extractors share: Meta's DINOv2 (arXiv 2304.07193), without registers, at 224 x 224."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from gandiag.core.protocols import ExtractorOptions
from gandiag.extractors._normalised import IMAGENET
from gandiag.extractors._transformer import Transformer, load_transformer
from gandiag.extractors._transformer_network import TransformerShape

PATCH, GRID = 14, 16
TRAINED_GRID = 37  # patches across the images of the last part of the training
OFFSET = 0.1  # that the published code adds before it divides, and that its features depend on
NAMES = {
    "attn.qkv": "attention.in",
    "attn.proj": "attention.out",
    "mlp.fc1": "up",
    "mlp.fc2": "down",
    "mlp.w12": "up",
    "mlp.w3": "down",
    "patch_embed.proj": "patches",
}
SCALES = {".ls1.gamma": ".attention.out", ".ls2.gamma": ".down"}


def load_dinov2(name: str, options: ExtractorOptions, *, width: int, depth: int, gated: bool = False) -> Transformer:
    """A DINOv2 of that shape: its normalised class token, which FD-DINOv2 (arXiv 2306.04675) compares."""
    hidden = (width * 8 // 3 + 7) // 8 * 8 if gated else 4 * width
    shape = TransformerShape(width, depth, PATCH, GRID, hidden, "swiglu" if gated else "gelu", 1e-6)
    return load_transformer(name, shape, renamed, IMAGENET, options)


def renamed(state: Mapping[str, Tensor], shape: TransformerShape) -> dict[str, Tensor]:
    """The tensors under this package's names: scales of layers folded in, positions brought to the grid."""
    found = {}
    for name, value in state.items():
        new = name
        for theirs, ours in NAMES.items():
            new = new.replace(theirs, ours)
        if new.startswith("norm."):
            new = f"after.{new.removeprefix('norm.')}"
        found[new] = value.float()
    for name in [name for name in found if name.endswith(tuple(SCALES))]:
        scale, ending = found.pop(name), name[-len(".ls1.gamma") :]
        layer = name.removesuffix(ending) + SCALES[ending]
        for part, scales in ((f"{layer}.weight", scale[..., None]), (f"{layer}.bias", scale)):
            if part in found and found[part].shape[:1] == scale.shape:
                found[part] = found[part] * scales
    found.pop("mask_token", None)  # of the training alone
    if "cls_token" in found:
        found["class"] = found.pop("cls_token").flatten()
    if "pos_embed" in found:
        found["positions"] = _positions(found.pop("pos_embed"), shape)
    return found


def _positions(trained: Tensor, shape: TransformerShape) -> Tensor:
    """Positions of a grid of 37 x 37, interpolated to the grid of the shape as the published code does it."""
    expected = (1, TRAINED_GRID**2 + 1, shape.width)
    if tuple(trained.shape) != expected:
        raise ValueError(f"its tensor 'pos_embed' has the shape {tuple(trained.shape)}, expected {expected}")
    if shape.grid == TRAINED_GRID:
        return trained[0]
    grid = trained[:, 1:].reshape(1, TRAINED_GRID, TRAINED_GRID, shape.width).permute(0, 3, 1, 2)
    scale = (shape.grid + OFFSET) / TRAINED_GRID
    smaller = functional.interpolate(grid, scale_factor=(scale, scale), mode="bicubic")
    return torch.cat([trained[0, :1], smaller.flatten(2)[0].T])
