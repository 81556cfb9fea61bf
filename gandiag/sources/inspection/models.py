"""Models and weights that are no pickles: ONNX and safetensors."""

from __future__ import annotations

import json
from pathlib import Path

from gandiag.core.errors import printable, shown
from gandiag.core.files import MOST_TENSORS, MOST_TEXT
from gandiag.core.pickles import PickleError, TensorShape
from gandiag.sources.inspection.arrays import are_samples, array_inspection
from gandiag.sources.inspection.groups import groups_of, suggested_latent
from gandiag.sources.inspection.inspection import Inspection, quoted, score_command, shortened
from gandiag.sources.onnx_graph import read_graph


def look_at_onnx(path: Path, size: int) -> Inspection:
    """Its graph."""
    graph = read_graph(path)
    tensors = {
        printable(each.name): TensorShape(tuple(size or 0 for size in each.shape), each.dtype) for each in graph.weights
    }
    inputs, outputs = (
        tuple({"name": printable(each.name), "type": each.dtype, "shape": list(each.shape)} for each in values)
        for values in (graph.inputs, graph.outputs)
    )
    shape = graph.inputs[0].shape[1:] if graph.inputs else ()
    image = graph.outputs[0].shape[1:] if graph.outputs else ()
    notes = [f"it takes weights from the file {shown(name)} beside it" for name in graph.files]
    return Inspection(
        str(path),
        "ONNX model",
        size,
        tensors,
        inputs=inputs,
        outputs=outputs,
        latent=tuple(each or 0 for each in shape) if shape and None not in shape else None,
        image=tuple(each or 0 for each in image) if len(image) == 3 and None not in image else None,
        values={"producer": printable(graph.producer), "operations": sorted(map(printable, graph.operations))},
        notes=tuple(notes),
        command=score_command(path),
    )


def look_at_safetensors(path: Path, size: int) -> Inspection:
    """Its header."""
    with path.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > min(size, MOST_TEXT):
            raise PickleError("its header is longer than the file")
        try:
            header = json.loads(opened.read(length))
            metadata = header.pop("__metadata__", {})
            tensors = {
                printable(name): TensorShape(tuple(int(each) for each in entry["shape"]), str(entry["dtype"]))
                for name, entry in header.items()
            }
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise PickleError("its header is damaged") from error
    if len(tensors) > MOST_TENSORS:
        raise PickleError(f"it holds {len(tensors):,} tensors, and networks have {MOST_TENSORS:,} at most")
    said = metadata if isinstance(metadata, dict) else {}
    if str(said.get("schema", said.get("format", ""))).startswith("gandiag.statistics"):
        command = f"gandiag score SOURCE --against {quoted(path)}"
        return Inspection(str(path), "statistics of gandiag", size, tensors, values=shortened(said), command=command)
    alone = len(tensors) == 1 and len(next(iter(tensors.values())).shape) == 4
    if alone or are_samples(tensors):
        return array_inspection(path, size, "safetensors file of samples", tensors, ())
    groups = groups_of(tensors)
    return Inspection(
        str(path),
        "safetensors file",
        size,
        tensors,
        groups,
        groups[0]["name"] if groups else None,
        latent=suggested_latent(tensors, groups[0]["name"] if groups else None),
        values=shortened(said),
        command=score_command(path, "--generator package.module:factory"),
    )
