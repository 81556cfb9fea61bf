"""Generators saved by torch.jit.save."""

from __future__ import annotations

from gandiag.core.protocols import Source
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.network import network_source
from gandiag.sources.torchscript import torchscript_network


def _recognises(file: File) -> bool:
    return any("/code/" in name for name in file.members)


def _open(file: File, options: SourceOptions) -> Source:
    network = torchscript_network(file.path)
    return network_source(
        network,
        options.generator,
        seed=options.seed,
        device=options.device,
        precision=options.precision,
        inputs=options.inputs,
    )


READER = Reader("a TorchScript file", _recognises, _open)
