"""The tensors of whatever a trainer left: files of torch.save, safetensors, and safetensors in several shards.

Files of torch.save are read with `weights_only=True` and in no other way. Objects that trainers put beside the weights,
such as their arguments, become empty stand-ins; a file that would call anything else is refused.
"""

from __future__ import annotations

import hashlib
import pickle
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch

from gandiag.core.errors import InputError, shown
from gandiag.core.files import MOST_TEXT, file_sha256, read_bounded
from gandiag.core.pickles import PickleError, saved_pickles
from gandiag.core.strict_json import parse_json
from gandiag.sources.harmless import is_harmless
from gandiag.statistics.safetensors_file import load_safetensors
from gandiag.statistics.torch_archive import check_saved

SHARDS = "weight_map"
MOST_SHARDS = 10_000
UNSAFE = "if you trust whoever made it, --unsafe-pickle loads it and runs what is in it"


class Stand:
    """Stands for an object of a class that is not imported; nothing that is done to it has an effect."""

    def __new__(cls, *arguments: object, **named: object) -> Stand:
        return object.__new__(cls)

    def __init__(self, *arguments: object, **named: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...

    def __setitem__(self, key: object, value: object) -> None: ...


def load_saved_weights(path: Path) -> tuple[Mapping[str, Any], str]:
    """What a file holds, tensors by name and maybe nested, and the SHA-256 of its content.

    Raises:
        InputError: it cannot be read, is no such file, or would run code.
    """
    name = shown(path)
    try:
        with path.open("rb") as opened:
            head = opened.read(16)
        if is_shard_index(path):
            return _shards(path)
        if is_safetensors_head(head):
            return load_safetensors(path), file_sha256(path)
        found = _torch(path, name)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise InputError(f"cannot read the weights {name}: {reason}") from error
    if isinstance(found, Stand):
        message = f"{name} is a whole pickled object ({type(found).__name__}), and loading it would run its code"
        raise InputError(f"{message}: save its state_dict() instead; {UNSAFE}")
    if not isinstance(found, Mapping):
        raise InputError(f"{name} holds {type(found).__name__}, expected a state dict or a trainer's checkpoint")
    return found, file_sha256(path)


def is_safetensors_head(head: bytes) -> bool:
    """Whether a file begins as safetensors do: the length of a header, and the header's brace."""
    return len(head) > 8 and int.from_bytes(head[:8], "little") < 2**27 and head[8:9] == b"{"


def is_shard_index(path: Path) -> bool:
    """Whether a file is the index of a safetensors set."""
    if not path.name.endswith(".json") or not path.is_file():
        return False
    with path.open("rb") as opened:
        return SHARDS.encode() in opened.read(MOST_TEXT)


def shard_files(path: Path) -> list[Path]:
    """The shards that an index names, which must lie beside it.

    Raises:
        InputError: it is damaged, or names files elsewhere or that are not there.
    """
    try:
        named = parse_json(read_bounded(path))[SHARDS]
        names = sorted(set(named.values()))
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise InputError(f"{shown(path)} is a damaged index of safetensors: expected a {SHARDS} of names") from error
    if not names or len(names) > MOST_SHARDS:
        raise InputError(f"{shown(path)} names {len(names)} files, expected 1 to {MOST_SHARDS}")
    found = []
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or name in (".", "..") or "\\" in name or "\0" in name:
            raise InputError(f"{shown(path)} names the file {shown(name)}, expected plain names of files beside it")
        shard = path.parent / name
        if shard.resolve().parent != path.parent.resolve():
            raise InputError(
                f"{shown(path)} names {shown(name)}, a link to a file elsewhere; put the file itself there"
            )
        if not shard.is_file():
            raise InputError(f"{shown(path)} names {shown(name)}, which is not beside it; copy all files of the set")
        found.append(shard)
    return found


def _shards(path: Path) -> tuple[Mapping[str, Any], str]:
    digest, tensors = hashlib.sha256(read_bounded(path)), {}
    for shard in shard_files(path):
        tensors.update(load_safetensors(shard))
        digest.update(bytes.fromhex(file_sha256(shard)))
    missing = [name for name in parse_json(read_bounded(path))[SHARDS] if name not in tensors]
    if missing:
        raise InputError(f"{shown(path)} promises {shown(missing[0])}, which none of its files holds")
    return tensors, digest.hexdigest()


def _torch(path: Path, name: str) -> Any:
    check_saved(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about old formats, which are read all the same
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            stands = _stands(path, name, error)
        except Exception as error:  # a damaged file may fail in any way
            raise _unreadable(path, name, error) from error
        try:
            with torch.serialization.safe_globals(stands):
                return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # what the stand-ins do not fit
            names = ", ".join(f"{stand.__module__}.{stand.__qualname__}" for stand in stands[:3])
            message = f"{name} holds objects beside its weights that cannot be left out ({names})"
            raise InputError(f"{message}: save its state_dict() alone; {UNSAFE}") from error


def _unreadable(path: Path, name: str, error: Exception) -> InputError:
    if tarfile.is_tarfile(path):
        message = f"{name} is in the tar format of PyTorch before 0.1.10, which cannot be read without running code"
        return InputError(f"{message}: load it in an old PyTorch, and save its state_dict() in a new one")
    return InputError(f"{name} is damaged or cut short ({type(error).__name__}); copy it again")


def _stands(path: Path, name: str, error: Exception) -> list[Any]:
    """Classes that stand in for all that a file's pickles name, if it is harmless.

    Raises:
        InputError: it is damaged, or calls what could do harm.
    """
    try:
        pickled = list(saved_pickles(path))
    except (PickleError, OSError, zipfile.BadZipFile) as damage:
        raise InputError(f"{name} is no checkpoint of PyTorch, or a damaged one; copy it again") from damage
    named = dict.fromkeys(each for found in pickled for each in found.names)
    harmful = [each for each in named if not is_harmless(each, any(each in found.called for found in pickled))]
    foreign = [each for each in named if not each.startswith(("torch._utils.", "torch.FloatStorage"))]
    if harmful or not foreign:
        listed = ", ".join(shown(each) for each in harmful[:3]) or "what cannot be told"
        message = f"{name} is refused: it holds pickled code or objects beside tensors, and would run {listed}"
        raise InputError(f"{message}; save its state_dict() alone; {UNSAFE}") from error
    stands: list[Any] = []
    for each in foreign:
        module, _, attribute = each.rpartition(".")
        stands.append(type(attribute, (Stand,), {"__module__": module, "__qualname__": attribute}))
    return stands
