"""Files of torch.save that are no samples: gandiag's own checkpoints, and whatever other trainers leave."""

from __future__ import annotations

import zipfile
from dataclasses import replace

from gandiag.core.pickles import Made, Pickled, PickleError, saved_pickles, tensors_of
from gandiag.core.protocols import Source
from gandiag.sources.checkpoint import FORMAT, PICKLE, load_checkpoint
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.generator import checkpoint_source
from gandiag.sources.network import network_source
from gandiag.sources.pickled_network import pickled_network, refusal
from gandiag.sources.saved import holds_pickle, holds_samples
from gandiag.sources.weights_network import weights_network


def _recognises(file: File) -> bool:
    pickled = file.head.startswith(PICKLE) or holds_pickle(file)
    return pickled and not holds_samples(file)


def _open(file: File, options: SourceOptions) -> Source:
    said = options.generator
    content = _content(file)
    if content is None or _is_own(content):
        checkpoint = load_checkpoint(file.path)
        return checkpoint_source(
            checkpoint,
            seed=options.seed,
            device=options.device,
            precision=options.precision,
            options=said,
            inputs=options.inputs,
        )
    if said.unsafe_pickle:
        network = pickled_network(file.path, said)
    elif _is_object(file, content):
        raise refusal(file.path, content.names)
    else:
        network = weights_network(file.path, said)
    return network_source(
        network,
        said,
        seed=options.seed,
        device=options.device,
        precision=options.precision,
        inputs=options.inputs,
    )


def _content(file: File) -> Pickled | None:
    """What the file's pickles hold, told without running them; None where they are damaged."""
    try:
        found = list(saved_pickles(file.path))
    except (PickleError, OSError, zipfile.BadZipFile, NotImplementedError):
        return None
    # The old format has its content behind a number, a version and a description of the machine.
    if len(found) > 3:
        return replace(found[3], framed=True)
    return found[-1] if found else None


def _is_own(content: Pickled) -> bool:
    value = content.value
    return isinstance(value, dict) and str(value.get("format", "")).startswith(FORMAT.partition("/")[0])


def _is_object(file: File, content: Pickled) -> bool:
    """Whether a file is a pickled network, or holds pickled networks rather than their weights."""
    bare = not file.members and not content.framed
    weights = any(True for _ in tensors_of(content.value, objects=False))
    return bare or isinstance(content.value, Made) or (not weights and bool(content.names))


READER = Reader("a checkpoint", _recognises, _open)
