"""Generators in ONNX files."""

from __future__ import annotations

from gandiag.core.protocols import Source
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.network import network_source
from gandiag.sources.onnx import onnx_network
from gandiag.sources.onnx_graph import looks_like_onnx


def _recognises(file: File) -> bool:
    return looks_like_onnx(file.head) or (file.suffix == ".onnx" and bool(file.head))


def _open(file: File, options: SourceOptions) -> Source:
    network = onnx_network(file.path, options.generator, options.device)
    return network_source(
        network,
        options.generator,
        seed=options.seed,
        device=options.device,
        precision=options.precision,
        inputs=options.inputs,
    )


READER = Reader("an ONNX file", _recognises, _open)
