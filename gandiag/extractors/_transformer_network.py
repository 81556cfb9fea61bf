"""The vision transformer (arXiv 2010.11929) as CLIP and DINOv2 build it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from gandiag.extractors._state import Weights

HEAD = 64  # width of an attention head, in all of these


@dataclass(frozen=True)
class TransformerShape:
    """The shape of a vision transformer.

    Attributes:
        width: of a token.
        depth: number of blocks.
        patch: pixels across a patch.
        grid: patches across an image.
        hidden: width inside a block's second half.
        gate: what the second half applies: `gelu`, CLIP's `quick-gelu`, or `swiglu`, one half gating the other.
        epsilon: of the normalisation.
        projection: width of what a last product gives, and None where there is none; with one comes a normalisation
            before the blocks, and no bias on patches.
    """

    width: int
    depth: int
    patch: int
    grid: int
    hidden: int
    gate: Literal["gelu", "quick-gelu", "swiglu"]
    epsilon: float
    projection: int | None = None

    @property
    def size(self) -> int:
        return self.patch * self.grid


class Affine(nn.Module):
    """A product with weights and a shift."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weights: Weights, name: str, inputs: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("weight", weights(f"{name}.weight", outputs, inputs))
        self.register_buffer("bias", weights(f"{name}.bias", outputs))

    def forward(self, tokens: Tensor) -> Tensor:
        return functional.linear(tokens, self.weight, self.bias)


class Norm(nn.Module):
    """Layer normalisation (arXiv 1607.06450)."""

    gain: Tensor
    shift: Tensor

    def __init__(self, weights: Weights, name: str, width: int, epsilon: float) -> None:
        super().__init__()
        self.register_buffer("gain", weights(f"{name}.weight", width))
        self.register_buffer("shift", weights(f"{name}.bias", width))
        self.epsilon = epsilon

    def forward(self, tokens: Tensor) -> Tensor:
        return functional.layer_norm(tokens, self.gain.shape, self.gain, self.shift, self.epsilon)


class Block(nn.Module):
    """Attention between tokens, then two products on each, both added to what came in."""

    def __init__(self, weights: Weights, name: str, shape: TransformerShape) -> None:
        super().__init__()
        width, gated = shape.width, shape.hidden * (2 if shape.gate == "swiglu" else 1)
        self.gate = shape.gate
        self.before_attention = Norm(weights, f"{name}.norm1", width, shape.epsilon)
        self.queries_keys_values = Affine(weights, f"{name}.attention.in", width, 3 * width)
        self.attended = Affine(weights, f"{name}.attention.out", width, width)
        self.before_products = Norm(weights, f"{name}.norm2", width, shape.epsilon)
        self.up = Affine(weights, f"{name}.up", width, gated)
        self.down = Affine(weights, f"{name}.down", shape.hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self._attention(self.before_attention(tokens))
        added: Tensor = self.down(self._gated(self.up(self.before_products(tokens))))
        return tokens + added

    def _attention(self, tokens: Tensor) -> Tensor:
        count, length, width = tokens.shape
        parts = self.queries_keys_values(tokens).view(count, length, 3, width // HEAD, HEAD).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        mixed: Tensor = self.attended(found.transpose(1, 2).reshape(count, length, width))
        return mixed

    def _gated(self, tokens: Tensor) -> Tensor:
        if self.gate == "gelu":
            return functional.gelu(tokens)
        if self.gate == "quick-gelu":
            return tokens * torch.sigmoid(1.702 * tokens)
        gate, value = tokens.chunk(2, dim=-1)
        opened: Tensor = functional.silu(gate) * value
        return opened


class VisionTransformer(nn.Module):
    """From images (n, 3, size, size) to the class token after the last normalisation, projected where shaped so."""

    patches: Tensor
    patches_bias: Tensor | None
    first: Tensor
    positions: Tensor
    projection: Tensor | None

    def __init__(self, weights: Weights, shape: TransformerShape) -> None:
        super().__init__()
        width, projects = shape.width, shape.projection is not None
        self.register_buffer("patches", weights("patches.weight", width, 3, shape.patch, shape.patch))
        self.register_buffer("patches_bias", None if projects else weights("patches.bias", width))
        self.register_buffer("first", weights("class", width))
        self.register_buffer("positions", weights("positions", shape.grid**2 + 1, width))
        self.before = Norm(weights, "before", width, shape.epsilon) if projects else nn.Identity()
        self.blocks = nn.Sequential(*(Block(weights, f"blocks.{i}", shape) for i in range(shape.depth)))
        self.after = Norm(weights, "after", width, shape.epsilon)
        projection = None if shape.projection is None else weights("projection", width, shape.projection)
        self.register_buffer("projection", projection)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        patches = functional.conv2d(images, self.patches, self.patches_bias, self.patches.shape[-1])
        tokens = patches.flatten(2).transpose(1, 2).float()
        tokens = torch.cat([self.first.expand(len(tokens), 1, -1), tokens], dim=1) + self.positions
        found = self.after(self.blocks(self.before(tokens))[:, 0])
        return (found if self.projection is None else found @ self.projection,)
