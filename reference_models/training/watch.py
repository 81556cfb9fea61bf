"""Watching for numbers that are not finite, without waiting for the device at every step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gandiag import TrainingError
from reference_models.training.step import Losses

INTERVAL = 20  # steps from one look at the losses to the next


class LossWatch:
    """Keeps the losses of the last steps on their device, and looks at all of them together."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, Tensor]] = []
        self.values: dict[str, float] = {}

    def add(self, step: int, losses: Losses) -> bool:
        """Note the losses of a step; each `INTERVAL` steps, and after the first, look at them.

        Returns:
            Whether it looked.

        Raises:
            TrainingError: one of them is not finite.
        """
        self._kept.append((step, torch.stack([losses.generator, losses.discriminator])))
        due = not self.values or step % INTERVAL == 0
        if due:
            self.look()
        return due

    def look(self) -> None:
        """Check what was noted, and make the last of it `values`.

        Raises:
            TrainingError: a loss is not finite; the message names the step and the loss.
        """
        if not self._kept:
            return
        table = torch.stack([values for _, values in self._kept]).double().cpu()
        for (step, _), row in zip(self._kept, table.isfinite().tolist(), strict=True):
            for name, finite in zip(("generator", "discriminator"), row, strict=True):
                if not finite:
                    raise _diverged(f"the {name} loss is not finite", step)
        generator_loss, discriminator_loss = table[-1].tolist()
        self.values = {"generator_loss": generator_loss, "discriminator_loss": discriminator_loss}
        self._kept.clear()


def check_weights(step: int, **networks: nn.Module) -> None:
    """Refuse networks whose weights are not finite.

    Raises:
        TrainingError: the message names the network.
    """
    for name, network in networks.items():
        for value in network.state_dict().values():
            if value.is_floating_point() and not bool(value.isfinite().all()):
                raise _diverged(f"the {name} has weights that are not finite", step)


def _diverged(what: str, step: int) -> TrainingError:
    remedy = "try a lower learning rate or another --seed"
    return TrainingError(f"training diverged: {what} at step {step}; {remedy}; what was saved before is left as it was")
