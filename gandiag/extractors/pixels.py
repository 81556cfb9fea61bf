"""The raw values themselves: pixels scaled to [0, 1], or the coordinates of points. Needs no weights."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gandiag.core.protocols import Extracted, ExtractorInfo, ExtractorOptions


@dataclass(frozen=True)
class Pixels:
    """Each sample flattened: (n, C * H * W) or (n, d), float32."""

    device: str
    info: ExtractorInfo = ExtractorInfo(  # noqa: RUF009 - a frozen value
        name="pixels",
        sha256=None,
        preprocessing="uint8 / 255, flattened; points as they are",
        heads=frozenset({"features"}),
    )

    def __call__(self, samples: Tensor) -> Extracted:
        values = samples.to(self.device)
        values = values.float() / 255 if values.ndim == 4 else values.float()
        return Extracted(features=values.flatten(1))


def load(options: ExtractorOptions) -> Pixels:
    """The extractor on the device of the options."""
    return Pixels(options.device)
