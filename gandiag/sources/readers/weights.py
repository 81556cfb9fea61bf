"""A generator's weights in safetensors, in one file or in several with an index."""

from __future__ import annotations

from gandiag.core.protocols import Source
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.network import network_source
from gandiag.sources.readers import safetensors
from gandiag.sources.saved_weights import is_safetensors_head, is_shard_index
from gandiag.sources.weights_network import weights_network


def _recognises(file: File) -> bool:
    if file.head.lstrip().startswith(b"{") and not file.folder:
        return is_shard_index(file.path)
    return is_safetensors_head(file.head) and not safetensors.READER.recognises(file)


def _open(file: File, options: SourceOptions) -> Source:
    network = weights_network(file.path, options.generator)
    return network_source(
        network,
        options.generator,
        seed=options.seed,
        device=options.device,
        precision=options.precision,
        inputs=options.inputs,
    )


READER = Reader("a file of weights", _recognises, _open)
