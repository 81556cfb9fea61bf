"""Settings and things that many tests use."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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
def cache_root(tmp_path_factory):
    """Where the tests' caches of features lie."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(cache_root, monkeypatch, request):
    """No test sees the user's cache of features, or another test's."""
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    monkeypatch.setenv("GANDIAG_CACHE", str(cache_root / name))


@pytest.fixture
def files_of_at_most():
    """A context in which no file can grow beyond a number of bytes, as on a disk that is full."""
    resource = pytest.importorskip("resource", reason="a system without limits on files")

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture
def coming_and_going() -> Iterator[Callable[[str | Path], Path]]:
    """Lets another process make and remove a file all the time, until the test ends."""
    code = "import pathlib, sys\nfile = pathlib.Path(sys.argv[1])\nwhile True: file.touch(); file.unlink(True)"
    with ExitStack() as running:

        def begin(path: str | Path) -> Path:
            path = Path(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            other = running.enter_context(subprocess.Popen([sys.executable, "-c", code, path]))
            running.callback(other.kill)
            while not path.exists():
                pass
            return path

        yield begin


@pytest.fixture
def normal():
    """Standard normal tensors from one seed."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    return draw


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


@pytest.fixture
def save_picture_generator(tmp_path, monkeypatch):
    """Write the checkpoint of a small generator of digits' size whose values are `scale * tanh + offset`."""
    from gandiag.sources import GENERATORS

    class Pictures(torch.nn.Module):
        def __init__(self, scale: float, offset: float) -> None:
            super().__init__()
            self.scale, self.offset = scale, offset
            self.linear = torch.nn.Linear(4, 784)
            with torch.no_grad():
                self.linear.weight.copy_(torch.randn(784, 4, generator=torch.Generator().manual_seed(0)))
                self.linear.bias.zero_()

        def forward(self, noise: torch.Tensor) -> torch.Tensor:
            return (self.scale * self.linear(noise).tanh() + self.offset).view(-1, 1, 28, 28)

    load = GENERATORS.load
    monkeypatch.setattr(GENERATORS, "load", lambda name: Pictures if name == "pictures" else load(name))

    def save(scale: float = 1.0, offset: float = 0.0) -> Path:
        gandiag.save_checkpoint(
            tmp_path / "pictures.pt",
            Pictures(scale, offset),
            builder="pictures",
            config={"scale": scale, "offset": offset},
            latent=Latent(4),
            image=ImageSpec((1, 28, 28), (-1.0, 1.0)),
        )
        return tmp_path / "pictures.pt"

    return save
