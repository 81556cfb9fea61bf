"""Where samples come from: checkpoints, networks in memory, arrays and folders of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gandiag.core.registry import Registry

if TYPE_CHECKING:
    from torch import nn

GENERATORS: Registry[Callable[..., nn.Module]] = Registry("generator", "gandiag.generators", "build")
