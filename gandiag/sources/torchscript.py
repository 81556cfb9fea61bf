"""A generator in a TorchScript file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gandiag.core.errors import shown
from gandiag.core.files import file_sha256
from gandiag.sources.network import Network, classes_of, latents_of
from gandiag.statistics.foreign import Program
from gandiag.statistics.torchscript import load_torchscript


def torchscript_network(path: Path) -> Network:
    """The generator of a TorchScript file, as it was saved but in evaluation mode.

    Raises:
        InputError: it is damaged, or its code could reach beyond its tensors.
    """
    module: Any = load_torchscript(path)[0]
    inputs = module.forward.schema.arguments[1:]
    needed = [each for each in inputs if not each.has_default_value()]
    return Network(
        function=Program(module, shown(path)),
        kind="TorchScript",
        path=path,
        sha256=file_sha256(path),
        module=module,
        latents=latents_of(module),
        classes=classes_of(module),
        conditional=True if len(needed) >= 2 else (None if len(inputs) >= 2 else False),
    )
