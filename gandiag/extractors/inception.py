"""The Inception v3 of the FID, with the weights and the arithmetic of TensorFlow 1: 2048 features, 1008 logits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.core.errors import InputError, shown
from gandiag.core.protocols import Extracted, ExtractorInfo, ExtractorOptions, Precision
from gandiag.extractors._compile import Run, compiled
from gandiag.extractors._inception_network import SIZE, InceptionNetwork
from gandiag.extractors._precision import arithmetic, stored_for
from gandiag.extractors._preprocessing import Preprocessing, colour_images, find_preprocessing
from gandiag.extractors._state import StateWeights, find_weights, read_state

ALIASES = ("inception-v3-compat",)
NAME = "inception"
SLICE = 4  # images at a time through the stem of the network: what a processor's cache holds


@dataclass(frozen=True)
class Inception:
    """Features, logits and spatial features of grey or colour images of any size."""

    network: InceptionNetwork
    info: ExtractorInfo
    device: str
    precision: Precision
    preprocessing: Preprocessing
    fast: Run | None

    def __call__(self, samples: Tensor) -> Extracted:
        images = colour_images(samples, NAME)
        with arithmetic(self.device, self.precision):
            slices = torch.split(images, SLICE if self.device == "cpu" else len(images))
            if self.fast is not None:
                features, spatial = self.fast(torch.cat([self._input(part) for part in slices]))
            else:
                stem = torch.cat([self.network.stem(self._input(part)) for part in slices])
                features, spatial = self.network.blocks(stem)
        with torch.inference_mode():
            logits = self.network.logits(features)[:, None]
        return Extracted(features=features, logits=logits, spatial=spatial)

    def _input(self, images: Tensor) -> Tensor:
        resized = self.preprocessing.resize(images.to(self.device).float(), SIZE)
        return self.preprocessing.centred(resized).contiguous(memory_format=torch.channels_last)


def load(options: ExtractorOptions) -> Inception:
    """The extractor with the weights of `options.weights`, or with the published ones where they have been fetched.

    The architecture is arXiv 1512.00567; features are those of torch-fidelity's `inception-v3-compat` to 1e-5.

    Raises:
        MissingDataError: there are no weights here.
        InputError: the weights file cannot be read or does not fit.
        UsageError: the preprocessing is not known, or the network cannot be compiled on this machine.
    """
    preprocessing = find_preprocessing(options.preprocessing or "tf1")
    path, digest = find_weights(NAME, options)
    try:
        weights = StateWeights(read_state(path))
        network = InceptionNetwork(weights)
        if rest := weights.leftover():
            raise ValueError(f"it has tensors that the network has no place for, such as {shown(rest[0])}")
    except ValueError as error:
        raise InputError(f"the weights {shown(path)} do not fit the extractor {NAME}: {error}") from error
    network = network.eval().to(options.device).to(memory_format=torch.channels_last)
    stored_for(options.precision, network)
    info = ExtractorInfo(
        name=NAME,
        sha256=digest,
        preprocessing=preprocessing.name,
        heads=frozenset({"features", "logits", "spatial"}),
        batch_size=64 if options.device == "cpu" else 256,
    )
    fast = None
    if options.compile:
        example = torch.zeros(info.batch_size, 3, SIZE, SIZE, device=options.device)
        fast = compiled(NAME, network, example.contiguous(memory_format=torch.channels_last), options)
    return Inception(network, info, options.device, options.precision, preprocessing, fast)
