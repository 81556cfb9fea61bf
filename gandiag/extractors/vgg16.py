"""VGG-16 trained on ImageNet: the 4096 rectified values of its second full layer, as torch-fidelity takes them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torchvision
from torch import Tensor, nn

from gandiag.core.errors import InputError, shown
from gandiag.core.protocols import Extracted, ExtractorInfo, ExtractorOptions, Precision
from gandiag.extractors._compile import Run, compiled
from gandiag.extractors._normalised import IMAGENET, Normalisation, network_input
from gandiag.extractors._precision import arithmetic, stored_for
from gandiag.extractors._preprocessing import Preprocessing, colour_images, find_preprocessing
from gandiag.extractors._state import find_weights, read_state

NAME = "vgg16"
SIZE = 224


@dataclass(frozen=True)
class Vgg16:
    """Features of grey or colour images of any size."""

    network: nn.Module
    info: ExtractorInfo
    device: str
    precision: Precision
    preprocessing: Preprocessing
    normalisation: Normalisation
    fast: Run | None

    def __call__(self, samples: Tensor) -> Extracted:
        images = colour_images(samples, NAME).to(self.device)
        with arithmetic(self.device, self.precision):
            prepared = network_input(images, SIZE, self.preprocessing, self.normalisation)
            features = self.network(prepared) if self.fast is None else self.fast(prepared)[0]
        return Extracted(features=features.float())


def load(options: ExtractorOptions) -> Vgg16:
    """The extractor with the weights of `options.weights`, or with torchvision's where they have been fetched.

    The architecture is arXiv 1409.1556. StyleGAN's and Kynkäänniemi's (arXiv 1904.06991) precision and recall take the
    same layer of another conversion of VGG-16, so their values are near but not the same.

    Raises:
        MissingDataError: there are no weights here.
        InputError: the weights file cannot be read or does not fit.
        UsageError: the preprocessing is not known, or the network cannot be compiled on this machine.
    """
    preprocessing = find_preprocessing(options.preprocessing or "tf1")
    path, digest = find_weights(NAME, options)
    try:
        with torch.device("meta"):
            whole = torchvision.models.vgg16(weights=None, init_weights=False)
        whole.load_state_dict(read_state(path), assign=True)
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"the weights {shown(path)} do not fit the extractor {NAME}: {reason}") from error
    network = nn.Sequential(whole.features, whole.avgpool, nn.Flatten(), *whole.classifier[:5])
    network = network.float().eval().requires_grad_(False).to(options.device).to(memory_format=torch.channels_last)
    stored_for(options.precision, network)
    info = ExtractorInfo(
        name=NAME,
        sha256=digest,
        preprocessing=preprocessing.name,
        heads=frozenset({"features"}),
        batch_size=32 if options.device == "cpu" else 256,
    )
    fast = None
    if options.compile:
        example = torch.zeros(info.batch_size, 3, SIZE, SIZE, device=options.device)
        fast = compiled(NAME, network, example.contiguous(memory_format=torch.channels_last), options)
    return Vgg16(network, info, options.device, options.precision, preprocessing, IMAGENET, fast)
