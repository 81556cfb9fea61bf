"""A small classifier of handwritten digits that comes with gandiag: 64 features and 10 logits a channel."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from gandiag.core.errors import InputError, shown
from gandiag.core.files import file_sha256
from gandiag.core.protocols import Extracted, ExtractorInfo, ExtractorOptions, Precision
from gandiag.extractors._precision import arithmetic

SIZE = 28
FEATURES = 64


class DigitNetwork(nn.Module):
    """Five convolutions without normalisation (folded into them after training) and two linear layers.

    Takes (n, 1, 28, 28) in [0, 1]; gives features (n, 64), after the rectifier, and logits (n, 10).
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * 9, FEATURES),
            nn.ReLU(),
        )
        self.head = nn.Linear(FEATURES, 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(images)
        return features, self.head(features)


@dataclass(frozen=True)
class Digits:
    """For images (n, C, 28, 28) uint8: the features of all channels joined (n, 64 C), and logits (n, C, 10)."""

    network: DigitNetwork
    info: ExtractorInfo
    device: str
    precision: Precision

    def __call__(self, samples: Tensor) -> Extracted:
        if samples.ndim != 4 or tuple(samples.shape[2:]) != (SIZE, SIZE):
            message = (
                f"the extractor digits takes images of {SIZE} x {SIZE} pixels, not samples {tuple(samples.shape[1:])}"
            )
            raise InputError(f"{message}; choose another with --extractor")
        channels = samples.flatten(0, 1)[:, None].to(self.device).float() / 255
        with arithmetic(self.device, self.precision):
            features, logits = self.network(channels.contiguous(memory_format=torch.channels_last))
        return Extracted(
            features=features.float().reshape(len(samples), -1), logits=logits.float().reshape(len(samples), -1, 10)
        )


def load(options: ExtractorOptions) -> Digits:
    """The extractor with the weights that come with gandiag, or with those of `options.weights`.

    Raises:
        InputError: the weights file cannot be read or does not fit.
    """
    if options.weights is not None:
        return _load(options.weights, options)
    with as_file(files("gandiag.extractors").joinpath("weights/digits.safetensors")) as path:
        return _load(path, options)


def _load(path: Path, options: ExtractorOptions) -> Digits:
    try:
        state = safetensors.torch.load_file(path)
        network = DigitNetwork()
        network.load_state_dict({name: value.float() for name, value in state.items()})
        digest = file_sha256(path)
    except (OSError, safetensors.SafetensorError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"the weights {shown(path)} do not fit the extractor digits: {reason}") from error
    info = ExtractorInfo(
        name="digits",
        sha256=digest,
        preprocessing="uint8 / 255, each channel by itself",
        heads=frozenset({"features", "logits"}),
        per_channel=True,
    )
    network = network.eval().requires_grad_(False).to(options.device)
    return Digits(network.to(memory_format=torch.channels_last), info, options.device, options.precision)
