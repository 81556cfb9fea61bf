"""Unpaired translation between two domains: cycle and identity losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from gandiag import UsageError
from reference_models.tasks._domains import Domain, find_domain
from reference_models.tasks._similarity import Perception
from reference_models.tasks._task import Finding, Networks, Shapes, Side, Task, images_of, number, whole
from reference_models.training.data import Data, Part, classes, to_range
from reference_models.training.image_folders import FolderPair

NAME = "unpaired"
BATCH = 100  # images that are scored at a time
FAR = 1 << 30  # where the second half of a dataset without an end begins


class Unpaired(Task):
    """Source: CycleGAN, arXiv:1703.10593, equations 2 and 3, and the identity loss of section 5.2.

    The first half of a dataset is one domain as it is, the second half the other, changed by a map that nobody tells
    the networks. Two folders of images are two domains by themselves.

    Args:
        domain: `inverted` or `coloured`: what the other domain of a dataset is.
        size: side of the images of two folders, a multiple of 4 from 8 to 1024.
        adversarial_weight: of the adversarial losses.
        cycle_weight: of the mean absolute error of going there and back; 5 is the paper's 10, whose least squares are
            not halved, as those here are.
        identity_weight: of the mean absolute change of images that are in the target domain already; 2.5 is its 5.
    """

    directions = ("there", "back")
    pairs_of_folders = True

    def __init__(
        self,
        domain: str = "inverted",
        size: int = 32,
        adversarial_weight: float = 1.0,
        cycle_weight: float = 5.0,
        identity_weight: float = 2.5,
    ) -> None:
        self.adversarial_weight = number(NAME, "adversarial_weight", adversarial_weight)
        self.cycle_weight = number(NAME, "cycle_weight", cycle_weight)
        self.identity_weight = number(NAME, "identity_weight", identity_weight)
        self.size = whole(NAME, "size", size, 8, 1024, 4)
        self._domain: Domain | None = find_domain(domain)
        self._device = torch.device("cpu")

    def begin(self, data: Data, device: torch.device) -> Mapping[str, Shapes]:
        """Learn whether there is a known map."""
        shape = images_of(data, NAME)
        self._device = device
        if isinstance(data, FolderPair):
            self._domain = None
        else:
            shape = (max(shape[0], self._known().channels), *shape[1:])
            if data.info.size is not None and data.info.size < 2:
                raise UsageError(f"task {NAME} needs two images or more, and {data.info.name} has {data.info.size}")
        return dict.fromkeys(self.directions, Shapes(shape, shape))

    def streams(self, data: Data) -> Mapping[str, Data]:
        """The images of either domain, those of a dataset before they are changed."""
        if isinstance(data, FolderPair):
            return {"source": data.source, "target": data.target}
        size = data.info.size
        if size is None:
            return {"source": data, "target": Part(data, FAR, None)}
        return {"source": Part(data, 0, size // 2), "target": Part(data, size // 2, size)}

    def sides(self, batches: Mapping[str, Tensor]) -> dict[str, Side]:
        """There, and back."""
        one, other = batches["source"], batches["target"]
        if self._domain is not None:
            one, other = self._domain.plain(one), self._domain.there(self._domain.plain(other))
        return {"there": Side(one, other), "back": Side(other, one)}

    def losses(self, generators: Networks, sides: Mapping[str, Side], made: Mapping[str, Tensor]) -> Tensor:
        """Cycle and identity loss of both directions."""
        total = torch.zeros((), device=made["there"].device)
        for direction, back in (("there", "back"), ("back", "there")):
            again = generators[back](made[direction])
            total = total + self.cycle_weight * functional.l1_loss(again, sides[direction].input)
            if self.identity_weight:
                same = generators[direction](sides[direction].real)
                total = total + self.identity_weight * functional.l1_loss(same, sides[direction].real)
        return total

    def scores(self, generators: Networks, data: Data, count: int) -> dict[str, Finding]:
        """Mean absolute errors, black to white being 1.

        `cycle_error` of there and back, `cycle_error_back` of back and there. Where the map is known, `target_error`
        of what it says, and of 28 x 28 images `label_kept`: the share whose class is still what it was, as the `digits`
        classifier says of the images that the known map takes back.
        """
        totals: dict[str, float] = {}
        perception = self._classifier(data)
        for start in range(0, count, BATCH):
            stop = min(start + BATCH, count)
            sides = self._read(data, start, stop)
            there = generators["there"](sides["there"].input)
            found = {
                "cycle_error": _errors(generators["back"](there), sides["there"].input),
                "cycle_error_back": _errors(
                    generators["there"](generators["back"](sides["back"].input)), sides["back"].input
                ),
            }
            if self._domain is not None:
                found["target_error"] = _errors(there, self._domain.there(sides["there"].input))
                if perception is not None:
                    given = perception.classes(self._domain.back(there))[:, 0]
                    known = classes(Part(data, 0, count), start, stop).to(given)
                    found["label_kept"] = (given == known).float()
            for name, values in found.items():
                totals[name] = totals.get(name, 0.0) + float(values.double().sum())
        return {
            name: Finding(total / count, "higher" if name == "label_kept" else "lower")
            for name, total in totals.items()
        }

    def preview(self, generators: Networks, data: Data, count: int) -> list[list[Tensor]]:
        """Of either direction: input, output, the target where it is known, and what comes back."""
        sides = self._read(data, 0, count)
        maps: dict[str, Callable[[Tensor], Tensor]] = {}
        if self._domain is not None:
            maps = {"there": self._domain.there, "back": self._returned}
        rows = []
        for direction, back in (("there", "back"), ("back", "there")):
            given = sides[direction].input
            made = generators[direction](given)
            target = [maps[direction](given)] if direction in maps else []
            rows.append([given, made, *target, generators[back](made)])
        return rows

    def _returned(self, images: Tensor) -> Tensor:
        known = self._known()
        return known.plain(known.back(images))

    def _known(self) -> Domain:
        if self._domain is None:
            raise UsageError(f"task {NAME}: two folders have no known map")
        return self._domain

    def _classifier(self, data: Data) -> Perception | None:
        labelled = hasattr(data, "labels") and data.info.shape == (1, 28, 28)
        return Perception("digits", self._device) if self._domain is not None and labelled else None

    def _read(self, data: Data, start: int, stop: int) -> dict[str, Side]:
        """Samples of both domains; those of a dataset are its first ones in one, and its last ones in the other."""
        if isinstance(data, FolderPair):
            source, target = data.source.read(start, stop), data.target.read(start, stop)
        else:
            offset = (data.info.size or 2 * stop) - stop - start
            source, target = data.read(start, stop), data.read(start + offset, stop + offset)
        return self.sides({"source": to_range(source.to(self._device)), "target": to_range(target.to(self._device))})


def _errors(images: Tensor, targets: Tensor) -> Tensor:
    return (images - targets).abs().flatten(1).mean(1) / 2


TASK = Unpaired
