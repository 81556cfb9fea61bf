"""What the CLIP extractors share: the image half of OpenAI's CLIP (arXiv 2103.00020)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from gandiag.core.protocols import ExtractorOptions
from gandiag.extractors._normalised import CLIP
from gandiag.extractors._transformer import Transformer, load_transformer
from gandiag.extractors._transformer_network import TransformerShape

NAMES = {
    "ln_1": "norm1",
    "attn.in_proj_weight": "attention.in.weight",
    "attn.in_proj_bias": "attention.in.bias",
    "attn.out_proj": "attention.out",
    "ln_2": "norm2",
    "mlp.c_fc": "up",
    "mlp.c_proj": "down",
    "transformer.resblocks": "blocks",
    "conv1": "patches",
    "class_embedding": "class",
    "positional_embedding": "positions",
    "ln_pre": "before",
    "ln_post": "after",
    "proj": "projection",
}
IMAGE = "visual."  # how the tensors of the half that sees are called


def load_clip(name: str, options: ExtractorOptions, *, width: int, depth: int, patch: int, grid: int) -> Transformer:
    """A CLIP of that shape: the embedding of the image, not normalised, as torch-fidelity and clean-fid take it."""
    projection = 768 if width == 1024 else 512
    shape = TransformerShape(width, depth, patch, grid, 4 * width, "quick-gelu", 1e-5, projection)
    return load_transformer(name, shape, renamed, CLIP, options)


def renamed(state: Mapping[str, Tensor], shape: TransformerShape) -> dict[str, Tensor]:
    """The tensors of the half that sees, under this package's names."""
    found = {}
    for name, value in state.items():
        if name.startswith(IMAGE):
            new = name.removeprefix(IMAGE)
            for theirs, ours in NAMES.items():
                # `proj` alone is the last product; elsewhere the name is a part of others.
                new = (ours if new == theirs else new) if theirs == "proj" else new.replace(theirs, ours)
            found[new] = value
    return found
