"""A TorchScript file, loaded without what its code could do to the machine.

TorchScript is a language of its own, run by PyTorch's interpreter; its files never hold Python. But two of its
operations reach files (`torch.save`, `torch.from_file`), and classes that come with PyTorch may do more. So no file
whose code names them is loaded, and what is loaded is a new archive of the parts that were looked at.
"""

from __future__ import annotations

import io
import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from gandiag.core.errors import InputError, shown
from gandiag.core.pickles import STORAGE_TYPES, Extent, PickleError, read_pickle
from gandiag.statistics.torch_archive import RefusedError, parts

# Any use of the words is refused, since a name of TorchScript can be bound to another name first.
FORBIDDEN = re.compile(rb"\b(save|from_file|load_tensor|_print|c10d|symm_mem)\b|[.\"']\s*(?:\\\s*)?classes\b")
OPERATIONS = re.compile(rb"\bops\s*\.\s*(\w+)")
PLAIN_OPERATIONS = {b"aten", b"prim", b"prims", b"torchvision", b"quantized"}
GETATTR = re.compile(rb"\bgetattr\b")
PLAIN_GETATTR = re.compile(
    rb"getattr\([\w.()\s]{0,400},\s*\"[^\"\\]*\"\s*\)"
)  # as PyTorch writes it: no name in disguise
BRACKETS = re.compile(rb"[\[\](){}]")
DEEPEST = 200
LARGEST_CODE = 2**24
BYTES = {name: getattr(torch, name).itemsize for name in STORAGE_TYPES.values()} | {
    "ComplexFloatStorage": 8,
    "ComplexDoubleStorage": 16,
    "QInt8Storage": 1,
    "QUInt8Storage": 1,
    "QInt32Storage": 4,
}
PICKLED = re.compile(rb"torch[.\n]classes|\nclasses")


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive, by the names of its parts."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return False


def load_torchscript(path: Path, extra_file: str = "") -> tuple[Any, str]:
    """The module on the CPU in evaluation mode, and the text of one of its extra files, empty where it has none.

    Raises:
        InputError: it is no TorchScript, is damaged, or its code could write or read files.
    """
    if not is_torchscript(path):
        raise InputError(f"{shown(path)} is no TorchScript file; save the module with torch.jit.save")
    try:
        archive, extra = _plain(path, extra_file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch says that TorchScript is old
            module = torch.jit.load(archive, map_location="cpu")  # type: ignore[no-untyped-call]
            return module.eval(), extra
    except RefusedError as error:
        message = f"the TorchScript file {shown(path)} holds {error}, which is never loaded"
        raise InputError(f"{message}; save it from tensors and arithmetic alone") from error
    except Exception as error:  # another version of torch, or a damaged file, may fail in any way
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[-1][:200] if lines else type(error).__name__
        raise InputError(f"cannot read the TorchScript file {shown(path)}: {reason}") from error


def _plain(path: Path, extra_file: str) -> tuple[io.BytesIO, str]:
    copy, extra = io.BytesIO(), ""
    sizes: dict[str, int] = {}
    claims: list[tuple[str, Extent | None]] = []
    with zipfile.ZipFile(copy, "w") as plain:
        for root, name, content in parts(path):
            if extra_file and name == f"extra/{extra_file}":
                extra = content.decode("utf-8", "replace")
            if name.startswith(("extra/", "traced_inputs")) or name.endswith(".debug_pkl"):
                continue
            if name.startswith("code/"):
                _check_code(content)
            elif name.endswith(".pkl"):
                claims += [(name.removesuffix(".pkl"), extent) for extent in _check_pickle(content)]
            sizes[name] = len(content)
            plain.writestr(f"{root}/{name}", content)
    _check_extents(claims, sizes)
    copy.seek(0)
    return copy, extra


def _check_extents(claims: Sequence[tuple[str, Extent | None]], sizes: Mapping[str, int]) -> None:
    """Raise where a tensor is larger than its data: PyTorch's own reader would read what lies behind."""
    for folder, extent in claims:
        if extent is None:
            raise RefusedError("a tensor that is not described as PyTorch does")
        width = BYTES.get(extent.dtype)
        if width is None:
            raise RefusedError(f"a tensor of {shown(extent.dtype)}")
        if width * extent.numbers > sizes.get(f"{folder}/{extent.storage}", 0):
            raise RefusedError("a tensor that is larger than its data")


def _check_pickle(content: bytes) -> tuple[Extent | None, ...]:
    """What its tensors take of their data.

    Raises where it is not sound, since PyTorch's own reader trusts it, or names types beyond all depth.
    """
    try:
        extents = read_pickle(io.BytesIO(content)).extents
        texts = [argument for _, argument, _ in pickletools.genops(content) if isinstance(argument, str)]
    except (PickleError, ValueError) as error:
        raise RefusedError(f"a damaged pickle ({error})") from error
    if PICKLED.search(content):
        raise RefusedError("objects of other than TorchScript's own classes")
    if any(_depth(text.encode("utf-8", "replace")) > DEEPEST for text in texts):
        raise RefusedError("types that hold each other too deeply")
    return extents


def _depth(text: bytes) -> int:
    """How many brackets are open at once."""
    depth = most = 0
    for bracket in BRACKETS.finditer(text):
        depth += 1 if bracket[0] in b"([{" else -1
        most = max(most, depth)
    return most


def _check_code(code: bytes) -> None:
    """Raise where the code names what could reach beyond its tensors, or is nested too deeply to be parsed."""
    if len(code) > LARGEST_CODE:
        raise RefusedError(f"code of {len(code):,} bytes")
    if _depth(code) > DEEPEST:
        raise RefusedError("code that is nested too deeply")
    found = FORBIDDEN.search(code)
    if found is not None:
        raise RefusedError(f"code with the word {shown(found[0].decode())}")
    for operation in OPERATIONS.finditer(code):
        if operation[1] not in PLAIN_OPERATIONS:
            raise RefusedError(f"operations of {shown(operation[1].decode('utf-8', 'replace'))}")
    for lookup in GETATTR.finditer(code):
        if PLAIN_GETATTR.match(code, lookup.start()) is None:
            raise RefusedError("code that looks up names in disguise")
