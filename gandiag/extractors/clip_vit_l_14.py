"""CLIP ViT-L/14: 768 features."""

from __future__ import annotations

from gandiag.core.protocols import ExtractorOptions
from gandiag.extractors._clip import load_clip
from gandiag.extractors._transformer import Transformer


def load(options: ExtractorOptions) -> Transformer:
    """The extractor with the weights of `options.weights`, or with the published ones where they have been fetched."""
    return load_clip("clip-vit-l-14", options, width=1024, depth=24, patch=14, grid=16)
