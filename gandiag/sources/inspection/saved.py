"""Pickles: files of torch.save, and bare ones."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gandiag.core.errors import printable
from gandiag.core.pickles import Made, Pickled, TensorShape, read_pickle
from gandiag.sources.harmless import is_harmless
from gandiag.sources.inspection.arrays import are_samples, array_inspection
from gandiag.sources.inspection.groups import groups_of, named_tensors, suggested_latent
from gandiag.sources.inspection.inspection import Inspection, is_plain, quoted, score_command, shortened, value_at

OLD_FORMAT = 0x1950A86A20F9469CFC6C  # the number that files of torch.save began with before they were archives


def look_at_pickle(path: Path, size: int) -> Inspection:
    """A bare pickle, or the several of the old format of torch.save."""
    with path.open("rb") as opened:
        first = read_pickle(opened)
        if first.value != OLD_FORMAT:
            return saved_inspection(first, path, size, "pickle", ())
        parts = [read_pickle(opened) for _ in range(3)]
    return saved_inspection(parts[2], path, size, "file of torch.save in its old format", ())


def saved_inspection(content: Pickled, path: Path, size: int, kind: str, notes: tuple[str, ...]) -> Inspection:
    """What unpickling would make, import and run."""
    value = content.value
    tensors = named_tensors(value)
    whole = isinstance(value, Made)
    runs = tuple(
        name for name in content.names if not (_needed(name) or is_harmless(name, whole or name in content.called))
    )
    objects = tuple(name for name in content.names if name not in runs and not _needed(name))
    plain = {printable(str(k)): v for k, v in value.items() if is_plain(v)} if isinstance(value, dict) else {}
    if isinstance(value, dict) and str(plain.get("format", "")).startswith("gandiag.checkpoint/"):
        return _own(value, path, size, tensors, plain)
    listed = isinstance(value, list) and all(isinstance(each, TensorShape) and len(each.shape) > 2 for each in value)
    if tensors and not runs and not whole and (listed or are_samples(tensors)):
        held = {f"each of {len(tensors)}": next(iter(tensors.values()))} if listed else tensors
        return array_inspection(path, size, f"{kind} with samples", held, notes)
    groups = groups_of(tensors)
    taken = groups[0]["name"] if groups else None
    if any(name.startswith(("torch_utils.persistence", "dnnlib")) for name in content.names):
        kind, whole = "pickle of NVIDIA's StyleGAN", True
    command: str | None
    if whole:
        note = "it is a pickled object: loading it runs code, so scoring needs --unsafe-pickle"
        groups, taken = (), None
        strange = [name for name in runs if name.partition(".")[0] in sys.stdlib_module_names]
        command = None if strange else score_command(path, "--unsafe-pickle")
    elif runs:
        note, command = "unpickling it would run what weights do not need: scoring refuses it", None
    else:
        note = ""
        command = score_command(path, "--generator package.module:factory") if tensors else None
    return Inspection(
        str(path),
        kind,
        size,
        tensors,
        groups,
        taken,
        latent=suggested_latent(tensors, taken),
        imports=objects,
        runs=runs,
        values=shortened(plain),
        notes=(*notes, note) if note else notes,
        command=command,
    )


def _own(
    value: Mapping[str, Any], path: Path, size: int, tensors: dict[str, TensorShape], plain: Mapping[str, Any]
) -> Inspection:
    dim, taken = value_at(value.get("latent"), "dim"), value.get("input")
    shape, limits = _image(value.get("image"))
    fed = {} if taken is None else {"name": "images", "shape": _image(taken)[0] or (), "range": _image(taken)[1]}
    words = ["--inputs FOLDER"] if fed else []
    words += [] if isinstance(value.get("dataset"), str) else ["--against REF"]
    return Inspection(
        str(path),
        "gandiag checkpoint",
        size,
        tensors,
        groups_of(tensors),
        "generator_ema" if any(name.startswith("generator_ema.") for name in tensors) else "generator",
        latent=(dim,) if _is_size(dim) else None,
        inputs=(fed,) if fed else (),
        image=shape,
        image_range=limits,
        values={k: v for k, v in plain.items() if k != "format"} | {"config": shortened(value.get("config"))},
        command=" ".join(["gandiag score", quoted(path), *words]),
    )


def _image(said: Any) -> tuple[tuple[int, ...] | None, tuple[float, float] | None]:
    """The shape and the range of images, where they are what they should be."""
    shape, limits = value_at(said, "shape"), value_at(said, "range")
    whole = isinstance(shape, list | tuple) and all(map(_is_size, shape))
    ranged = isinstance(limits, list | tuple) and len(limits) == 2
    ranged = ranged and all(isinstance(each, int | float) and is_plain(each) for each in limits)
    return tuple(shape) if whole else None, (float(limits[0]), float(limits[1])) if ranged else None


def _is_size(value: Any) -> bool:
    return type(value) is int and is_plain(value)


def _needed(name: str) -> bool:
    """Whether weights themselves name it."""
    return (
        name.startswith("torch._utils._rebuild")
        or name in ("collections.OrderedDict", "torch.nn.parameter.Parameter")
        or (name.startswith("torch.") and name.endswith("Storage"))
    )
