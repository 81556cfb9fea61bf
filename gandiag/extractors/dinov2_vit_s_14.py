"""DINOv2 ViT-S/14: 384 features, the quick one for FD-DINOv2."""

from __future__ import annotations

from gandiag.core.protocols import ExtractorOptions
from gandiag.extractors._dinov2 import load_dinov2
from gandiag.extractors._transformer import Transformer


def load(options: ExtractorOptions) -> Transformer:
    """The extractor with the weights of `options.weights`, or with the published ones where they have been fetched."""
    return load_dinov2("dinov2-vit-s-14", options, width=384, depth=12)
