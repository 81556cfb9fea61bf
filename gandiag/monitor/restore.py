"""Doing something with networks in the middle of a training that must not notice it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def unnoticed(networks: Iterable[nn.Module], seed: int | None = None) -> Iterator[None]:
    """Put back modes, buffers, gradients' switches and all random number generators when the block ends.

    The block runs without gradients; what needs them switches them on.

    Args:
        networks: what the block may use.
        seed: of torch's, NumPy's and Python's generators inside the block; None leaves them where they are.
    """
    networks = list(networks)
    modes = [(module, module.training) for network in networks for module in network.modules()]
    buffers = [(buffer, buffer.detach().clone()) for network in networks for buffer in network.buffers()]
    switches = [(each, each.requires_grad) for network in networks for each in network.parameters()]
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the state is kept for its owner
    devices = {each.device for network in networks for each in network.parameters() if each.device.type == "cuda"}
    try:
        with torch.random.fork_rng([device.index for device in devices]), torch.no_grad():
            if seed is not None:
                _seed(seed, devices)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        for buffer, before in buffers:
            # By `data`: a graph of the loop may hold the buffer, and its version must not tell of a change.
            buffer.data.copy_(before)
        for parameter, switch in switches:
            parameter.requires_grad_(switch)
        for module, mode in modes:
            module.training = mode


def _seed(seed: int, devices: set[torch.device]) -> None:
    torch.default_generator.manual_seed(seed)
    for device in devices:
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002, TID251 - a scorer may draw from it; its state is put back
