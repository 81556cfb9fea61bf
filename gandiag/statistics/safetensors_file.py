"""Safetensors files that a stranger may have written."""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from gandiag.core.errors import HostileFileError, shown
from gandiag.core.files import MOST_TENSORS


def load_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, by name.

    Raises:
        HostileFileError: they are more than any network has.
        safetensors.SafetensorError: it is no such file, or damaged.
        OSError: it cannot be read.
    """
    with safetensors.safe_open(path, framework="pt") as opened:
        count = len(opened.keys())
    if count > MOST_TENSORS:
        message = f"{shown(path)} is refused: it holds {count:,} tensors"
        raise HostileFileError(f"{message}, and networks have {MOST_TENSORS:,} at most")
    return dict(safetensors.torch.load_file(path))
