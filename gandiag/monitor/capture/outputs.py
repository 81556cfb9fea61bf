"""What the generators made: remembered by its storage, so that a discriminator's input is known for a fake."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from gandiag.monitor.capture.scores import tensors_in

REMEMBERED = 64  # storages
NOWHERE = -1  # address of a tensor without memory of its own


class Fakes:
    """The last outputs of all generators.

    A storage is remembered weakly: its memory is free as soon as the loop lets go of it, but its address is not given
    to another storage, so that no other tensor is ever taken for a fake. The contents of the last outputs are kept
    until the next step of an optimizer, for inputs that hold a copy of them.

    Attributes:
        calls: of generators so far.
    """

    def __init__(self) -> None:
        self.calls = 0
        self._storages: OrderedDict[int, StorageWeakRef] = OrderedDict()
        self._last: list[Tensor] = []
        self._living: list[weakref.ref[Tensor]] = []

    def remember(self, inputs: tuple[Any, ...], output: Any) -> None:
        """Take what a generator returned: a tensor, or a tuple, list or dict of them."""
        self.calls += 1
        found = [tensor for tensor in tensors_in(output) if address(tensor) != NOWHERE]
        passed_on = {address(tensor) for tensor in tensors_in(inputs)} if len(found) > 1 else set()
        made = [tensor for tensor in found if address(tensor) not in passed_on]
        for tensor in made:
            storage = tensor.untyped_storage()
            self._storages[storage._cdata] = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
            self._storages.move_to_end(storage._cdata)
        while len(self._storages) > REMEMBERED:
            self._storages.popitem(last=False)
        self._living = [*self._living[-3:], *(weakref.ref(tensor) for tensor in made)]
        self._last = [*self._last[-3:], *(tensor.detach() for tensor in made)][-8:]

    def made(self, tensor: Tensor) -> bool:
        """Whether a tensor shares storage with an output, detached from its graph or not."""
        return address(tensor) in self._storages

    def let_go(self) -> None:
        """Keep no contents any longer; those that the loop itself keeps can still be compared."""
        self._last.clear()

    def contents(self) -> list[Tensor]:
        """The last outputs, the latest first."""
        living = [tensor for tensor in (each() for each in self._living) if tensor is not None]
        both = [*reversed(self._last), *(tensor.detach() for tensor in reversed(living))]
        return list({address(tensor): tensor for tensor in reversed(both)}.values())[::-1]


class Layouts:
    """Where an input holds a copy of fakes: at its first or last samples, in some of its channels, or all over.

    One pair of samples is compared, on the device. On a CPU the answer is known at once; elsewhere it arrives with the
    window's other numbers, and holds for later calls of the same shape.
    """

    PLACES = ("first samples", "last samples", "first channels", "last channels")

    def __init__(self) -> None:
        self.known: dict[str, str | None] = {}

    @staticmethod
    def comparable(whole: Tensor, fake: Tensor) -> bool:
        """Whether an input may hold a copy of the fakes, by their shapes."""
        if whole.ndim != fake.ndim or whole.ndim < 2 or whole.device != fake.device or not 0 < len(fake) <= len(whole):
            return False
        if whole.shape[1:] == fake.shape[1:]:
            return True
        beside = len(whole) == len(fake) and whole.shape[2:] == fake.shape[2:]
        return beside and fake.shape[1] < whole.shape[1]

    @staticmethod
    def compare(whole: Tensor, fake: Tensor) -> Tensor:
        """Flags (4,) of the places at which the fakes stand in an input."""
        count, samples = len(whole), len(fake)
        whole, fake = whole.detach(), fake.detach()
        if whole.shape[1:] == fake.shape[1:]:
            ends = (0, samples - 1)
            first = _equal(whole[:samples], fake, ends)
            last = first if samples == count else _equal(whole[count - samples :], fake, ends)
            no = torch.zeros_like(first)
            return torch.stack([first, last, no, no])
        width, part = whole.shape[1], fake.shape[1]
        ends = (0, samples - 1)
        sides = [_equal(whole[:, :part], fake, ends), _equal(whole[:, width - part :], fake, ends)]
        no = torch.zeros_like(sides[0])
        return torch.stack([no, no, *sides])

    def learn(self, key: str, flags: list[bool]) -> bool:
        """What the flags of calls of one shape say; whether fakes are found where none were known of."""
        place = next((place for place, flag in zip(self.PLACES, flags, strict=True) if flag), None)
        news = place is not None and self.known.get(key) is None
        self.known[key] = place
        return news


def _equal(part: Tensor, fake: Tensor, rows: tuple[int, int]) -> Tensor:
    same = [(part[row] == fake[row]).all() for row in rows]
    return same[0] & same[1]


def address(tensor: Tensor) -> int:
    """What tensors that share memory have in common; `NOWHERE` for one without memory of its own."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):  # a tensor without memory of its own, as under torch.func
        return NOWHERE
