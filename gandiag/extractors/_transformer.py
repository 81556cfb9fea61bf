"""An extractor that is a vision transformer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.core.errors import InputError, shown
from gandiag.core.protocols import Extracted, ExtractorInfo, ExtractorOptions, Precision
from gandiag.extractors._compile import Run, compiled
from gandiag.extractors._normalised import Normalisation, network_input
from gandiag.extractors._precision import arithmetic, stored_for
from gandiag.extractors._preprocessing import Preprocessing, colour_images, find_preprocessing
from gandiag.extractors._state import StateWeights, find_weights, read_state
from gandiag.extractors._transformer_network import TransformerShape, VisionTransformer

Renamed = Callable[[Mapping[str, Tensor], TransformerShape], dict[str, Tensor]]


@dataclass(frozen=True)
class Transformer:
    """Features of grey or colour images of any size."""

    network: VisionTransformer
    size: int
    info: ExtractorInfo
    device: str
    precision: Precision
    preprocessing: Preprocessing
    normalisation: Normalisation
    fast: Run | None

    def __call__(self, samples: Tensor) -> Extracted:
        images = colour_images(samples, self.info.name).to(self.device)
        with arithmetic(self.device, self.precision):
            prepared = network_input(images, self.size, self.preprocessing, self.normalisation)
            features = (self.network if self.fast is None else self.fast)(prepared)[0]
        return Extracted(features=features.float())


def load_transformer(
    name: str, shape: TransformerShape, renamed: Renamed, normalisation: Normalisation, options: ExtractorOptions
) -> Transformer:
    """The extractor `name`, its published weights brought to this package's names by `renamed`.

    Raises:
        MissingDataError: there are no weights here.
        InputError: the weights file cannot be read or does not fit.
        UsageError: the preprocessing is not known, or the network cannot be compiled on this machine.
    """
    preprocessing = find_preprocessing(options.preprocessing or "bicubic")
    path, digest = find_weights(name, options)
    try:
        weights = StateWeights(renamed(read_state(path), shape))
        network = VisionTransformer(weights, shape)
        if rest := weights.leftover():
            raise ValueError(f"it has tensors that the network has no place for, such as {shown(rest[0])}")
    except ValueError as error:
        raise InputError(f"the weights {shown(path)} do not fit the extractor {name}: {error}") from error
    network = network.eval().to(options.device)
    stored_for(options.precision, network)
    info = ExtractorInfo(
        name=name,
        sha256=digest,
        preprocessing=preprocessing.name,
        heads=frozenset({"features"}),
        batch_size=32 if options.device == "cpu" else 256,
    )
    fast = None
    if options.compile:
        example = torch.zeros(info.batch_size, 3, shape.size, shape.size, device=options.device)
        fast = compiled(name, network, example.contiguous(memory_format=torch.channels_last), options)
    return Transformer(network, shape.size, info, options.device, options.precision, preprocessing, normalisation, fast)
