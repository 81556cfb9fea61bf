"""A generator out of its weights alone: a state dict or a trainer's checkpoint, and the network that the user names."""

from __future__ import annotations

from pathlib import Path

from gandiag.core.errors import UsageError, shown
from gandiag.core.generator_options import GeneratorOptions
from gandiag.sources.factory import build_network
from gandiag.sources.find_weights import load_weights
from gandiag.sources.network import Network, classes_of, latents_of, takes_labels
from gandiag.sources.saved_weights import load_saved_weights


def weights_network(path: Path, options: GeneratorOptions) -> Network:
    """The network of the options with the weights of a file.

    Raises:
        InputError: the file cannot be read, would run code, or its weights do not fit.
        UsageError: no network is named, or it cannot be built.
    """
    if options.network is None:
        message = f"{shown(path)} holds weights and not the network that they belong to"
        raise UsageError(
            f"{message}: name it by --generator NAME or package.module:factory; `gandiag inspect` shows what is in it"
        )
    saved, digest = load_saved_weights(path)
    network = build_network(options.network, options.config)
    found = load_weights(network, saved, shown(path), options.weights_key)
    return Network(
        function=network,
        kind="weights",
        path=path,
        sha256=digest,
        module=network,
        latents=latents_of(network, options.config),
        classes=classes_of(network, options.config),
        conditional=takes_labels(network.forward),
        weights=found.path or "state_dict",
        notes=found.notes,
        details={
            "network": options.network,
            "config": None if options.config is None else dict(options.config),
            "averaged": found.averaged,
        },
    )
