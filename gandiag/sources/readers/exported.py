"""Generators saved by torch.export.save."""

from __future__ import annotations

from gandiag.core.protocols import Source
from gandiag.sources.exported import exported_network
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.network import network_source

PARTS = ("/models/", "/archive_format", "serialized_exported_program.json")


def _recognises(file: File) -> bool:
    return any(part in f"/{name}" for name in file.members for part in PARTS) and not any(
        "/code/" in name for name in file.members
    )


def _open(file: File, options: SourceOptions) -> Source:
    network = exported_network(file.path)
    return network_source(
        network,
        options.generator,
        seed=options.seed,
        device=options.device,
        precision=options.precision,
        inputs=options.inputs,
    )


READER = Reader("an exported program", _recognises, _open)
