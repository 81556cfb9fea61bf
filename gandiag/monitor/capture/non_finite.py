"""Which module made the first output that is not finite, known without waiting for the device at each of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gandiag.monitor.capture.scores import tensors_in
from gandiag.monitor.hooks import Hook, Removable

NEVER = 2**62


class FirstBad:
    """Watches every module without children.

    Args:
        networks: name to network, the name standing before those of its modules.
    """

    def __init__(self, networks: dict[str, nn.Module], hooks: Removable) -> None:
        self._names: list[str] = []
        self._first: dict[int, Tensor] = {}
        self._calls = 0
        self._steps: list[tuple[int, int]] = []  # calls before a step began, and the step
        self.step = 1  # that the calls are part of
        for prefix, network in networks.items():
            for name, module in network.named_modules():
                if next(module.children(), None) is None:
                    place = len(self._names)
                    self._names.append(f"{prefix}.{name} ({type(module).__name__})" if name else prefix)
                    hooks.add(module.register_forward_hook(Hook(partial(self._look, place))))

    def _look(self, place: int, module: nn.Module, inputs: Any, output: Any) -> None:
        self._calls += 1
        if not self._steps or self._steps[-1][1] != self.step:
            self._steps.append((self._calls, self.step))
        for tensor in tensors_in(output):
            finite = tensor.detach().isfinite().all()
            first = self._first.get(place)
            if first is None or first.device != tensor.device:
                first = torch.full((), NEVER, dtype=torch.int64, device=tensor.device)
                self._first[place] = first
            first.copy_(torch.minimum(first, torch.where(finite, NEVER, self._calls)))

    def found(self) -> tuple[str, int] | None:
        """The module and the step of the run, once there is one; this waits for the device."""
        calls = {place: int(first) for place, first in self._first.items()}
        place = min(calls, key=lambda each: calls[each], default=None)
        if place is None or calls[place] == NEVER:
            del self._steps[:-1]
            return None
        step = max((begun, step) for begun, step in self._steps if begun <= calls[place])[1]
        return self._names[place], step
