"""What a file of `torch.save` holds, told without running anything in it."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from gandiag.core.errors import HostileFileError, InputError, shown
from gandiag.sources.checkpoint import PICKLE
from gandiag.sources.formats import File
from gandiag.statistics.torch_archive import check_saved

IMAGE_KEYS = ("images", "samples", "fakes", "data", "x", "arr_0")
LABEL_KEYS = ("labels", "targets", "classes", "y", "arr_1")


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
    """The tensors by name, where they are samples, of the shape (n, d) or (n, C, H, W), and labels at most."""
    if isinstance(content, Tensor):
        return {"tensor": content} if content.ndim in (2, 4) else {}
    if not isinstance(content, dict) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        return {}
    known = set(IMAGE_KEYS) | set(LABEL_KEYS)
    return dict(content) if set(content) <= known and set(content) & set(IMAGE_KEYS) else {}


def check_strided(values: Tensor, title: str) -> Tensor:
    """The tensor, where it is a plain one of numbers.

    Raises:
        InputError: it is sparse, quantised or complex.
    """
    if values.layout is not torch.strided or values.is_quantized or values.is_complex() or values.is_meta:
        raise InputError(f"{title} holds a sparse, quantised or complex tensor, expected plain numbers")
    return values.detach()
