"""Numbers on their way from a device to the host: collected there, copied together, read when they have arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

SIZE = 1 << 14  # float32 numbers at first; it grows where a window needs more
LARGEST = 1 << 22
MOST_ENTRIES = 20_000


@dataclass(frozen=True)
class Measurement:
    """What was measured at one step.

    Attributes:
        kind: what it is, such as `gradients`.
        player: key of the player that it belongs to.
        step: of the run.
        parts: the numbers, as many arrays as were put in.
    """

    kind: str
    player: str
    step: int
    parts: tuple[npt.NDArray[np.float32], ...]


class Flight:
    """A window's numbers on their way."""

    def __init__(self, entries: list[tuple[str, str, int, tuple[int, ...]]], host: Tensor, event: Any | None) -> None:
        self._entries, self._host, self._event = entries, host, event

    def landed(self) -> bool:
        """Whether reading would not wait."""
        return self._event is None or bool(self._event.query())

    def read(self) -> list[Measurement]:
        """The measurements, in the order they were taken; waits for the copy."""
        if self._event is not None:
            self._event.synchronize()
        values = self._host.numpy()
        measurements, start = [], 0
        for kind, player, step, lengths in self._entries:
            parts = []
            for length in lengths:
                parts.append(values[start : start + length])
                start += length
            measurements.append(Measurement(kind, player, step, tuple(parts)))
        return measurements


class Buffer:
    """Collects numbers on one device without waiting for it."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._values = torch.empty(SIZE, device=device)
        self._used = 0
        self._entries: list[tuple[str, str, int, tuple[int, ...]]] = []

    def put(self, kind: str, player: str, step: int, parts: Sequence[Tensor]) -> None:
        """Keep numbers of this device; what comes after the buffer is full is left out."""
        lengths = tuple(part.numel() for part in parts)
        end = self._used + sum(lengths)
        if end > LARGEST or len(self._entries) >= MOST_ENTRIES:
            return
        if end > len(self._values):
            grown = torch.empty(1 << end.bit_length(), device=self.device)
            grown[: self._used].copy_(self._values[: self._used])
            self._values = grown
        place = self._used
        for part, length in zip(parts, lengths, strict=True):
            self._values[place : place + length].copy_(part.detach().reshape(-1))
            place += length
        self._used = end
        self._entries.append((kind, player, step, lengths))

    def send(self) -> Flight:
        """Start the copy of all that was kept, and begin anew."""
        entries, used = self._entries, self._used
        self._entries, self._used = [], 0
        if self.device.type == "cpu":
            return Flight(entries, self._values[:used].clone(), None)
        if self.device.type != "cuda":
            return Flight(entries, self._values[:used].cpu(), None)
        host = torch.empty(used, pin_memory=True)
        host.copy_(self._values[:used], non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self.device))
        return Flight(entries, host, event)


class Buffers:
    """A buffer for each device."""

    def __init__(self) -> None:
        self._of: dict[torch.device, Buffer] = {}

    def put(self, kind: str, player: str, step: int, *parts: Tensor) -> None:
        """Keep numbers, all of one device."""
        device = parts[0].device
        buffer = self._of.get(device)
        if buffer is None:
            buffer = self._of[device] = Buffer(device)
        buffer.put(kind, player, step, parts)

    def send(self) -> list[Flight]:
        """Start the copies of all devices."""
        return [buffer.send() for buffer in self._of.values()]
