"""What the modes of a reference are: products of classes, or the components of a mixture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class ClassModes:
    """Modes that are combinations of one class a channel: `classes ** channels` of them.

    Mode `(a, b, c)` has the index `(a * classes + b) * classes + c`.

    Attributes:
        frequencies: share of each class, the same in each channel and independent between channels; shape (classes,).
        channels: how many channels a sample has.
    """

    frequencies: npt.NDArray[np.float64]
    channels: int

    @property
    def count(self) -> int:
        return int(len(self.frequencies) ** self.channels)

    def probabilities(self) -> npt.NDArray[np.float64]:
        """Share of each mode, shape (count,)."""
        shares = np.ones(1)
        for _ in range(self.channels):
            shares = np.outer(shares, self.frequencies).ravel()
        return shares

    def name(self, index: int) -> str:
        """The classes of a mode, such as `7-0-3`."""
        return "-".join(str(part) for part in np.unravel_index(index, [len(self.frequencies)] * self.channels))


@dataclass(frozen=True)
class MixtureModes:
    """Modes that are the components of a Gaussian mixture with equal weights.

    Attributes:
        centres: shape (count, dimension).
        deviation: standard deviation of each component along each axis.
    """

    centres: npt.NDArray[np.float64]
    deviation: float

    @property
    def count(self) -> int:
        return len(self.centres)

    def probabilities(self) -> npt.NDArray[np.float64]:
        """Share of each mode, shape (count,)."""
        return np.full(self.count, 1 / self.count)

    def name(self, index: int) -> str:
        """The centre of a mode, such as `(0.71, -0.71)`."""
        return f"({', '.join(f'{coordinate + 0.0:.3g}' for coordinate in self.centres[index])})"


Modes = ClassModes | MixtureModes
