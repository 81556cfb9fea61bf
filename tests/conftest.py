"""Settings and things that many tests use."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import gandiag
from gandiag.core.protocols import ImageSpec, Latent


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Small tensors gain nothing from threads, and threads wait for each other on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def ring_network():
    """A small generator of points, untrained, from a fixed seed."""
    from reference_models.networks.generators import mlp

    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(0)
        return mlp.build(latent_dim=4, shape=[2], hidden=[16])


@pytest.fixture
def save_ring(tmp_path, ring_network):
    """Write the checkpoint of a generator of points; keyword arguments replace what it says."""

    def save(name: str = "ring.pt", **changes: object) -> Path:
        arguments = {
            "generator": ring_network,
            "builder": "mlp",
            "config": {"latent_dim": 4, "shape": [2], "hidden": [16]},
            "latent": Latent(4),
            "image": ImageSpec((2,), None),
            "dataset": "ring8",
        }
        gandiag.save_checkpoint(tmp_path / name, **{**arguments, **changes})
        return tmp_path / name

    return save
