"""CLIP ViT-B/32: 512 features, those of clean-fid's CLIP-FID."""

from __future__ import annotations

from gandiag.core.protocols import ExtractorOptions
from gandiag.extractors._clip import load_clip
from gandiag.extractors._transformer import Transformer


def load(options: ExtractorOptions) -> Transformer:
    """The extractor with the weights of `options.weights`, or with the published ones where they have been fetched."""
    return load_clip("clip-vit-b-32", options, width=768, depth=12, patch=32, grid=7)
