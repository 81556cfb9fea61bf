"""A generator in an exported program of torch.export (.pt2)."""

from __future__ import annotations

from pathlib import Path

import torch

from gandiag.core.errors import InputError, shown
from gandiag.core.files import file_sha256
from gandiag.sources.fixed_batch import in_batches
from gandiag.sources.network import Network
from gandiag.statistics.exported import load_exported
from gandiag.statistics.foreign import Program


def exported_network(path: Path) -> Network:
    """The generator of an exported program: inputs and their shapes are read from its graph.

    Raises:
        InputError: it is damaged, is no generator, or holds other than plain operations and tensors.
    """
    program = load_exported(path, "")
    if not 1 <= len(program.inputs) <= 2 or not program.inputs[0].floating:
        found = len(program.inputs)
        message = f"the exported program {shown(path)} takes {found} tensors"
        raise InputError(f"{message}; a generator takes noise, and maybe labels: export it with these inputs")
    noise = program.inputs[0]
    labels = program.inputs[1] if len(program.inputs) == 2 else None
    known = bool(noise.shape[1:]) and all(size is not None for size in noise.shape[1:])
    one_hot = labels is not None and labels.floating and len(labels.shape) == 2
    module = program.module
    return Network(
        function=Program(in_batches(module, noise.shape[0]), shown(path)),
        kind="torch.export",
        path=path,
        sha256=file_sha256(path),
        module=module if isinstance(module, torch.nn.Module) else None,
        latents=(tuple(size for size in noise.shape[1:] if size is not None),) if known else (),
        said=known,
        classes=labels.shape[1] if labels is not None and one_hot else None,
        conditional=labels is not None,
        label_format=None if labels is None else ("one-hot" if one_hot else "index"),
    )
