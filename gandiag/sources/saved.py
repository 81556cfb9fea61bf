"""What a file of `torch.save` holds, told without running anything in it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gandiag.core.errors import HostileFileError, InputError, shown
from gandiag.sources.checkpoint import PICKLE
from gandiag.sources.formats import File
from gandiag.sources.sample_names import IMAGE_KEYS, LABEL_KEYS
from gandiag.statistics.torch_archive import check_saved


def holds_pickle(file: File) -> bool:
    """Whether a file is one of `torch.save`; TorchScript and `torch.export` archives have code beside it."""
    names = {name.partition("/")[2] for name in file.members}
    return "data.pkl" in names and not any(name.startswith(("code/", "constants.pkl")) for name in names)


def holds_samples(file: File) -> bool:
    """Whether a file of `torch.save` holds images or points, and not a network's weights."""
    if not holds_pickle(file) and not file.head.startswith(PICKLE):
        return False
    try:
        content = load_saved(file)
    except HostileFileError:
        raise
    except InputError:
        return False
    return bool(sample_tensors(content))


def load_saved(file: File) -> Any:
    """The content, of plain values and tensors alone.

    Raises:
        InputError: it is damaged, or holds anything else.
    """
    check_saved(file.path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about old formats
        try:
            mapped = holds_pickle(file)
            return torch.load(file.path, map_location="cpu", weights_only=True, mmap=mapped)
        except Exception as error:  # a damaged file may fail in any way
            raise InputError(f"{shown(file.path)} is damaged, or holds code beside tensors") from error


def sample_tensors(content: Any) -> dict[str, Tensor]:
    """The tensors by name, where they are samples, and labels at most.

    They are a tensor (n, d), (n, C, H, W), or (n, H, W) of bytes; a list of images (C, H, W), or of batches of them; or
    a dict with a usual name.
    """
    if isinstance(content, list | tuple):
        content = _joined(content)
    if isinstance(content, Tensor):
        grey = content.ndim == 3 and content.dtype == torch.uint8
        return {"tensor": content} if content.ndim in (2, 4) or grey else {}
    if not isinstance(content, dict) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        return {}
    known = set(IMAGE_KEYS) | set(LABEL_KEYS)
    return dict(content) if set(content) <= known and set(content) & set(IMAGE_KEYS) else {}


def _joined(parts: Sequence[Any]) -> Tensor | None:
    """A list of images, or of batches of images, as one tensor."""
    if not parts or not all(isinstance(part, Tensor) and part.layout is torch.strided for part in parts):
        return None
    kinds = {(part.dtype, part.device, part.is_quantized, part.ndim, part.shape[-3:]) for part in parts}
    stored = {part.untyped_storage().data_ptr(): part.untyped_storage().nbytes() for part in parts}
    # A part that stands in the list a million times takes no room in the file.
    repeated = sum(part.nbytes for part in parts) > sum(stored.values())
    if len(kinds) > 1 or parts[0].ndim not in (3, 4) or repeated:
        return None
    return torch.stack(list(parts)) if parts[0].ndim == 3 else torch.cat(list(parts))
