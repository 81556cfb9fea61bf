"""Short steps in the latent space, and how far they move the image: what `ppl` is the mean of."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.core.protocols import Extractor, Source
from gandiag.sources.generator import GeneratorSource

STEP = 1e-4  # of the whole path from one latent to the other


def has_paths(source: Source) -> bool:
    """Whether a source has a latent space of Gaussian or uniform noise to walk in."""
    return isinstance(source, GeneratorSource) and source.walks


def path_lengths(source: Source, extractor: Extractor, start: int, stop: int) -> Tensor:
    """Squared distance that the extractor sees between both ends of a step, over the step squared: float32 (n,).

    Path i goes from latent i to another one, along the sphere for normal noise and straight for uniform; the step is
    at a random place of it. Both ends have the same label and the same noise inside the network. The images are not
    quantised, which would hide such steps.

    Raises:
        InputError: the source is no generator.
    """
    if not has_paths(source):
        raise InputError(f"ppl walks in the latent space of a generator, and {source.info.name} has none")
    one, other = cast(GeneratorSource, source).path_ends(start, stop, STEP)
    difference = extractor(one).features.double() - extractor(other).features.double()
    return (difference.square().sum(dim=1) / STEP**2).to(torch.float32)
