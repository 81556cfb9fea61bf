"""Steps of the optimizers: gradients as they are used, after accumulation, unscaling and clipping."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gandiag.monitor.buffer import Buffers
from gandiag.monitor.capture.players import Player
from gandiag.monitor.hooks import Hook, Removable
from gandiag.monitor.measure.gradients import global_norm

FRAMES = 12  # of the stack in which a scaler is looked for
LOOKS = 3  # steps at which it is looked for


class Stepping:
    """One optimizer, and the players whose parameters it updates.

    Args:
        optimizer: it.
        players: those players.
        before: called before a step, with self.
        after: called after it, with self.
        third: whether it is a third one of both players, as of InfoGAN, whose step is neither's. A second one of a
            player steps beside that player's own.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        players: list[Player],
        before: Callable[[Stepping], None],
        after: Callable[[Stepping], None],
        hooks: Removable,
        *,
        third: bool = False,
    ) -> None:
        self.optimizer, self.players, self.third = optimizer, players, third
        self.scaler: Any | None = None  # of mixed precision, once found
        self.looks = 0
        self._before, self._after = before, after
        self._groups: tuple[int, ...] = ()
        self._parameters: dict[str, list[nn.Parameter]] = {}
        hooks.add(optimizer.register_step_pre_hook(Hook(self._pre)))
        hooks.add(optimizer.register_step_post_hook(Hook(self._post)))
        self._closed = False  # the gradients are computed inside the step, by a closure

    def parameters(self, player: Player) -> list[nn.Parameter]:
        """The player's parameters that this optimizer updates."""
        groups = tuple(len(group["params"]) for group in self.optimizer.param_groups)
        if groups != self._groups:
            self._groups = groups
            self._parameters = {each.key: each.trained(self.optimizer) for each in self.players}
        return self._parameters[player.key]

    def norms(self, player: Player, step: int, scale: Tensor | None, buffers: Buffers) -> None:
        """Measure the norm of the player's gradients, 0 where there are none."""
        parameters = self.parameters(player)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if not gradients:
            if parameters:
                buffers.put("gradients", player.key, step, torch.zeros(1, device=parameters[0].device))
            return
        norm = global_norm(gradients)
        if scale is not None:
            norm = norm / scale.to(norm.device, non_blocking=True)
        found_inf = getattr(self.optimizer, "found_inf", None)
        if isinstance(found_inf, Tensor):
            buffers.put("gradients", player.key, step, norm, found_inf.to(norm.device, non_blocking=True).max())
        else:
            buffers.put("gradients", player.key, step, norm)

    @property
    def scale(self) -> Tensor | None:
        """What the gradients are still scaled by: a fused optimizer divides them itself."""
        scale = getattr(self.optimizer, "grad_scale", None)
        return scale if isinstance(scale, Tensor) else None

    def _pre(self, _: Optimizer, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        given = [each for each in arguments if each is not self.optimizer]  # torch hands over the optimizer as well
        self._closed = any(map(callable, [*given, named.get("closure")]))
        if not self._closed:
            self._before(self)

    def _post(self, *_: Any) -> None:
        if self._closed:
            self._before(self)
        self._after(self)


def scaler_on_the_stack() -> Any | None:
    """The gradient scaler whose `step` is running, if there is one: the loop need not name it."""
    frame = sys._getframe(1)
    for _ in range(FRAMES):
        if frame.f_back is None:
            return None
        frame = frame.f_back
        owner = frame.f_locals.get("self")
        if isinstance(owner, torch.amp.GradScaler):
            return owner
    return None
