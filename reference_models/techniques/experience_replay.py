"""A part of the fakes that the discriminator sees are old ones, so that it does not forget what it has learnt."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gandiag import UsageError
from reference_models.techniques._technique import Moment, Setting, Technique, positive, whole


class ExperienceReplay(Technique):
    """Source: SimGAN, arXiv:1612.07828, section 2.3.

    Args:
        share: of a batch that comes from the store, once that is full.
        size: samples in the store.
    """

    def __init__(self, share: float = 0.5, size: int = 1024) -> None:
        self.share = positive("experience_replay", "share", share, high=1.0)
        self.size = whole("experience_replay", "size", size)
        self._store = torch.empty(0)

    def begin(self, setting: Setting) -> None:
        """Refuse labels, which the store does not keep, and a store smaller than what is taken from it."""
        if setting.num_classes is not None:
            raise UsageError("technique experience_replay does not go with labels: leave one of them out")
        if self.size < setting.batch_size:
            message = f"technique experience_replay: size is {self.size}, less than a batch of {setting.batch_size}"
            raise UsageError(f"{message}; make it larger")

    def replay(self, fake: Tensor, moment: Moment) -> Tensor:
        """The batch with its first samples replaced by old ones, whose places in the store they take."""
        if len(self._store) < self.size:
            kept = fake[: self.size - len(self._store)].clone()
            self._store = torch.cat([self._store.to(kept), kept]) if len(self._store) else kept
            return fake
        count = max(1, round(self.share * len(fake)))
        places = torch.randperm(self.size, generator=moment.draw("replay"))[:count].to(fake.device)
        self._store = self._store.to(fake)
        mixed = torch.cat([self._store[places], fake[count:]])
        self._store[places] = fake[:count]
        return mixed

    def state(self) -> dict[str, Tensor]:
        """The store."""
        return {"store": self._store}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self._store = state["store"].clone()


TECHNIQUE = ExperienceReplay
