"""What a key of a trainer's checkpoint says: a generator's weights, their average, or something else."""

from __future__ import annotations

import re

AVERAGED = re.compile(
    r"(^|[._/-])(g_?ema\w*|ema\w*|\w+_ema|\w*ema_model|g[es]|g\w*_running|swa\w*|avg\w*|averaged?|shadow\w*)($|[._/-])",
    re.I,
)
GENERATOR = re.compile(r"(^|[._/-])(net_?g\w*|g|gen\w*|g_\w+|generator\w*|\w+_generator|model_g\w*)($|[._/-])", re.I)
OTHER = re.compile(
    r"(^|[._/-])(net_?d\w*|d|dis|disc\w*|d_\w+|\w+_d|optim\w*|\w*_optim\w*|opt_\w+|critic|encoder|loss\w*)($|[._/-])",
    re.I,
)
OPTIMISER = re.compile(r"optim|(^|[._/-])(opt|sched\w*|loss\w*)($|[._/-])", re.I)
WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")


def is_averaged(path: str) -> bool:
    """Whether a key names averaged weights, such as `g_ema`."""
    return AVERAGED.search(path) is not None


def is_generator(path: str) -> bool:
    """Whether a key names a generator."""
    return GENERATOR.search(path) is not None and OPTIMISER.search(path) is None


def is_other(path: str) -> bool:
    """Whether a key names what is no generator: a discriminator, an optimiser."""
    return OTHER.search(path) is not None


def unwrapped(name: str) -> str:
    """The name of a weight without what torch.compile and sharding put into it."""
    for wrapper in WRAPPERS:
        name = name.replace(wrapper, "")
    return name


def preference(path: str) -> tuple[bool, bool, bool, int]:
    """A sort key: averaged weights first, then a generator's, then what is not something else, short before long."""
    return (not is_averaged(path), not is_generator(path), is_other(path), len(path))
