"""CLIP ViT-B/16: 512 features."""

from __future__ import annotations

from gandiag.core.protocols import ExtractorOptions
from gandiag.extractors._clip import load_clip
from gandiag.extractors._transformer import Transformer


def load(options: ExtractorOptions) -> Transformer:
    """The extractor with the weights of `options.weights`, or with the published ones where they have been fetched."""
    return load_clip("clip-vit-b-16", options, width=768, depth=12, patch=16, grid=14)
