from __future__ import annotations

import pytest

from gandiag.core.protocols import ImageSpec, Latent
from gandiag.core.registry import Registry
from gandiag.sources import generator
from gandiag.sources.checkpoint import save_checkpoint

TINY = '''"""A tiny generator for the tests."""
from torch import nn


def build(dim=4, size=2, channels=1):
    if size > 100:
        raise ValueError("size is beyond 100\\nsecond line")
    return nn.Sequential(nn.Linear(dim, channels * size * size), nn.Tanh(), nn.Unflatten(1, (channels, size, size)))
'''


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The builder `tiny_dcgan` is registered; returns a network of it."""
    import sys

    folder = tmp_path / "packages" / "tiny_generators"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "tiny_dcgan.py").write_text(TINY)
    monkeypatch.syspath_prepend(folder.parent)
    for name in ("tiny_generators", "tiny_generators.tiny_dcgan"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    registry = Registry("generator", "test.generators", "build", package="tiny_generators")
    monkeypatch.setattr(generator, "GENERATORS", registry)
    return registry.load("tiny_dcgan")()


@pytest.fixture
def saved(tmp_path, tiny):
    """Writes a valid checkpoint of the tiny network with changes, and returns its path."""

    def save(**changes):
        arguments = {
            "generator": tiny,
            "builder": "tiny_dcgan",
            "config": {"dim": 4},
            "latent": Latent(4),
            "image": ImageSpec((1, 2, 2)),
        }
        save_checkpoint(tmp_path / "c.pt", **(arguments | changes))
        return tmp_path / "c.pt"

    return save
