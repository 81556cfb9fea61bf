"""NumPy arrays, and files of samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gandiag.core.errors import printable
from gandiag.core.pickles import TensorShape
from gandiag.sources.inspection.inspection import Inspection, quoted
from gandiag.sources.sample_names import IMAGE_KEYS, LABEL_KEYS


def look_at_array(path: Path, size: int) -> Inspection:
    """An `.npy` file."""
    with path.open("rb") as opened:
        header = array_header(opened.read(4096))
    return array_inspection(path, size, "NumPy array (.npy)", {"array": header} if header else {}, ())


def array_header(head: bytes) -> TensorShape | None:
    """Shape and type of an `.npy` file that begins so; None for a damaged header."""
    import ast

    import numpy as np

    length = int.from_bytes(head[8:10], "little") if head[6:7] == b"\1" else int.from_bytes(head[8:12], "little")
    start = 10 if head[6:7] == b"\1" else 12
    try:
        said = ast.literal_eval(head[start : start + length].decode("latin1"))
        shape = tuple(int(each) for each in said["shape"])
        return TensorShape(shape, str(np.dtype(said["descr"])))
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        return None


def are_samples(tensors: Mapping[str, TensorShape]) -> bool:
    """Whether these are images or points, and maybe their classes, by names and shapes as `score` tells them."""
    names = set(tensors)
    if names == {""}:
        alone = tensors[""]
        return len(alone.shape) in (2, 4) or (len(alone.shape) == 3 and alone.dtype == "uint8")
    return names <= {*IMAGE_KEYS, *LABEL_KEYS} and bool(names & set(IMAGE_KEYS))


def array_inspection(
    path: Path, size: int, kind: str, tensors: Mapping[str, TensorShape], notes: tuple[str, ...]
) -> Inspection:
    """Named arrays: samples, or the mean and covariance of a reference."""
    held = {printable(name): tensor for name, tensor in tensors.items()}
    if {"mu", "sigma"} <= set(held) or set(held) == {"feats"}:
        command = f"gandiag score SOURCE --against {quoted(path)}"
        return Inspection(
            str(path), f"{kind} with the statistics of a reference", size, held, notes=notes, command=command
        )
    if any(tensor.dtype == "object" for tensor in held.values()):
        notes = (*notes, "it holds Python objects, which are pickled and never loaded")
    shapes = [tensor.shape[1:] for tensor in held.values() if len(tensor.shape) == 4]
    command = f"gandiag score {quoted(path)} --against REF"
    return Inspection(str(path), kind, size, held, image=shapes[0] if shapes else None, notes=notes, command=command)
