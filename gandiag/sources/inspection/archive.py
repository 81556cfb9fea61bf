"""ZIP archives: of images, of NumPy, and the several that PyTorch writes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gandiag.core.files import MOST_TEXT
from gandiag.core.pickles import PickleError, TensorShape, read_pickle
from gandiag.core.zip_file import open_zip
from gandiag.sources.inspection.arrays import array_header, array_inspection
from gandiag.sources.inspection.groups import named_tensors, suggested_latent
from gandiag.sources.inspection.inspection import LARGEST, Inspection, quoted, score_command, value_at
from gandiag.sources.inspection.saved import saved_inspection

NUMPY_SUFFIX = ".npy"


def look_at_archive(path: Path, size: int) -> Inspection:
    """By the names of its parts."""
    with open_zip(path) as archive:
        infos = archive.infolist()
        names = [info.filename for info in infos]
        unfolded = sum(info.file_size for info in infos)
        notes = _archive_notes(infos, unfolded, size)
        below = {name.partition("/")[2] for name in names}
        data = next((info for info in infos if info.filename.rpartition("/")[2] == "data.pkl"), None)
        if any("/code/" in name for name in names):
            tensors = _pickled_tensors(archive, data)
            code = sorted(name.partition("/")[2] for name in names if name.endswith(".py"))
            latent = suggested_latent(tensors)
            return Inspection(
                str(path),
                "TorchScript",
                size,
                tensors,
                latent=latent,
                values={"code": code[:50]},
                notes=(*notes, "TorchScript is code of its own: it runs when the file is scored, and holds no Python"),
                command=score_command(path),
            )
        if {"archive_format", "models/model.json"} & below or "serialized_exported_program.json" in names:
            return _exported(archive, path, size, notes)
        if data is not None:
            if data.file_size > LARGEST:
                raise PickleError(f"its pickle unfolds to {data.file_size:,} bytes")
            return saved_inspection(
                read_pickle(io.BytesIO(archive.read(data))), path, size, "file of torch.save", notes
            )
        if names and all(name.endswith(NUMPY_SUFFIX) for name in names):
            arrays = {
                info.filename.removesuffix(NUMPY_SUFFIX): array_header(archive.open(info).read(4096)) for info in infos
            }
            return array_inspection(path, size, "NumPy archive (.npz)", {k: v for k, v in arrays.items() if v}, notes)
    kinds = sorted({Path(name).suffix.lower() for name in names if not name.endswith("/")})
    return Inspection(
        str(path),
        "ZIP archive",
        size,
        values={"files": len(names), "kinds": kinds[:10]},
        notes=notes,
        command=f"gandiag score {quoted(path)} --against REF",
    )


def _archive_notes(infos: Iterable[zipfile.ZipInfo], unfolded: int, size: int) -> tuple[str, ...]:
    notes = []
    if unfolded > 100 * size + 2**26:
        notes.append(f"it unfolds to {unfolded:,} bytes")
    if any(info.filename.startswith("/") or ".." in Path(info.filename).parts for info in infos):
        notes.append("names in it lead out of its folder")
    return tuple(notes)


def _pickled_tensors(archive: zipfile.ZipFile, data: zipfile.ZipInfo | None) -> dict[str, TensorShape]:
    if data is None or data.file_size > LARGEST:
        return {}
    return named_tensors(read_pickle(io.BytesIO(archive.read(data))).value)


def _exported(archive: zipfile.ZipFile, path: Path, size: int, notes: tuple[str, ...]) -> Inspection:
    program: Any = {}
    for info in archive.infolist():
        if info.filename.endswith(("/models/model.json", "serialized_exported_program.json")):
            if info.file_size > MOST_TEXT:
                raise PickleError("its program is too large")
            try:
                program = json.loads(archive.read(info))
            except (ValueError, RecursionError) as error:
                raise PickleError("its program is no JSON") from error
    pickled = [info.filename.partition("/")[2] for info in archive.infolist() if "sample_inputs" in info.filename]
    graph = value_at(program, "graph_module", "graph")
    values = value_at(graph, "tensor_values")
    signature = value_at(program, "graph_module", "signature", "input_specs")
    inputs, tensors = [], {}
    for specification in signature if isinstance(signature, list) else []:
        name = value_at(specification, "user_input", "arg", "as_tensor", "name")
        weight = value_at(specification, "parameter", "parameter_name") or value_at(
            specification, "buffer", "buffer_name"
        )
        argument = (
            name
            or value_at(specification, "parameter", "arg", "name")
            or value_at(specification, "buffer", "arg", "name")
        )
        sizes = [value_at(each, "as_int") for each in value_at(values, argument, "sizes") or []]
        if isinstance(name, str):
            inputs.append({"name": name, "shape": sizes})
        elif isinstance(weight, str) and all(type(each) is int for each in sizes):
            tensors[weight] = TensorShape(tuple(sizes), "unknown")
    shape = inputs[0]["shape"][1:] if inputs else []
    latent = tuple(shape) if shape and all(type(each) is int for each in shape) else None
    note = ("its sample inputs are pickled, and never read",) if pickled else ()
    return Inspection(
        str(path),
        "exported program (torch.export)",
        size,
        tensors,
        inputs=tuple(inputs),
        latent=latent,
        notes=(*notes, *note),
        command=score_command(path),
    )
