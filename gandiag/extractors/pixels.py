"""The raw values themselves: pixels scaled to [0, 1], or the coordinates of points. Needs no weights."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.core.protocols import Extracted, ExtractorInfo, ExtractorOptions

WIDEST = 2**20  # values of a sample: of 3 x 591 x 591 pixels


@dataclass(frozen=True)
class Pixels:
    """Each sample flattened: (n, C * H * W) or (n, d), float32.

    Raises:
        InputError: a sample has more than 1,048,576 values, with which no metric ends.
    """

    device: str
    info: ExtractorInfo = ExtractorInfo(  # noqa: RUF009 - a frozen value
        name="pixels",
        sha256=None,
        preprocessing="uint8 / 255, flattened; points as they are",
        heads=frozenset({"features"}),
    )

    def __call__(self, samples: Tensor) -> Extracted:
        width = samples[:1].numel()
        if width > WIDEST:
            raise InputError(
                f"a sample has {width:,} values, and the extractor pixels takes {WIDEST:,}; use another one"
            )
        values = samples.to(self.device)
        values = values.float() / 255 if values.ndim == 4 else values.float()
        return Extracted(features=values.flatten(1))


def load(options: ExtractorOptions) -> Pixels:
    """The extractor on the device of the options."""
    return Pixels(options.device)
