from __future__ import annotations

import pytest
import torch
from torch import nn

from gandiag.core.errors import InputError
from gandiag.core.protocols import Conditioning, ImageSpec, Latent
from gandiag.sources.generator import generator_source
from gandiag.sources.quantise import quantise


def source(function, shape=(1, 2, 2), limits=(-1.0, 1.0), latent=None, **options):
    return generator_source(function, name="toy", latent=latent or Latent(4), image=ImageSpec(shape, limits), **options)


def squash(noise):
    return noise.tanh().view(-1, 1, 2, 2)


def test_sample_i_does_not_depend_on_the_batches():
    whole = source(squash).read(0, 600)
    parts = [source(squash).read(start, stop) for start, stop in ((0, 1), (1, 255), (255, 257), (257, 600))]
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(source(squash, seed=1).read(0, 600), whole)


def test_a_network_in_memory_trains_on_with_what_it_kept_of_its_first_call():
    class Grid(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.grid = nn.Linear(4, 4), None

        def forward(self, noise):
            if self.grid is None:
                self.grid = torch.linspace(-1, 1, 4)
            return (self.layer(noise) * self.grid).tanh().view(-1, 1, 2, 2)

    network = Grid()
    source(network).read(0, 5)
    network(torch.zeros(2, 4)).sum().backward()
    assert network.layer.weight.grad is not None


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", False), ("tf32", True)])
def test_tf32_is_as_the_precision_says(precision, allowed):
    seen = []

    def generator(noise):
        seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
        return squash(noise)

    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    source(generator, precision=precision).read(0, 3)
    assert set(seen) == {(allowed, allowed)}
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == before


def test_normal_latents_are_standard_normal():
    noise = source(squash).noise(0, 20_000)
    assert noise.dtype == torch.float32
    assert abs(float(noise.mean())) < 4 / 80_000**0.5
    assert abs(float(noise.var()) - 1) < 4 * (2 / 80_000) ** 0.5


def test_uniform_latents_fill_minus_one_to_one():
    noise = source(squash, latent=Latent(4, "uniform")).noise(0, 20_000)
    assert float(noise.min()) > -1
    assert float(noise.max()) < 1
    assert abs(float(noise.mean())) < 4 * (1 / 3 / 80_000) ** 0.5
    assert abs(float(noise.var()) - 1 / 3) < 4 * (4 / 45 / 80_000) ** 0.5


def test_labels_are_uniform_and_go_with_their_samples():
    seen = []

    def conditional(noise, labels):
        seen.append(labels)
        return (labels.float() / 5 - 1).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)

    conditioned = source(conditional, conditioning=Conditioning(11))
    labels = conditioned.labels(0, 11_000)
    counts = torch.bincount(labels, minlength=11)
    assert ((counts - 1000.0) ** 2 / 1000).sum() < 29.6  # chi-squared of 10 degrees, 99.9%
    images = conditioned.read(30, 60)
    assert torch.equal(seen[-1], labels[30:60])
    torch.testing.assert_close(images[:, 0, 0, 0].float(), labels[30:60] * 25.5, rtol=0, atol=0.5)
    assert source(squash).labels(0, 3) is None


def test_a_network_is_scored_in_evaluation_mode_and_put_back():
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Tanh(), nn.Unflatten(1, (1, 2, 2)))
    network[2].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    toy = source(network)
    assert torch.equal(toy.read(0, 8)[:3], toy.read(0, 3))
    assert network.training
    assert network[1].training
    assert not network[2].training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_the_callers_random_numbers_are_left_alone():
    def noisy(noise):
        return (noise + torch.randn(len(noise), 4)).tanh().view(-1, 1, 2, 2)

    state = torch.random.get_rng_state()
    first = source(noisy).read(0, 32)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(5)
    assert torch.equal(source(noisy).read(0, 32), first)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda noise: noise, r"shape \(16, 4\), expected \(16, 1, 2, 2\)"),
        (lambda noise: squash(noise)[:-1], r"shape \(15, 1, 2, 2\)"),
        (lambda noise: [squash(noise)], "list, expected a tensor"),
        (lambda noise: None, "NoneType"),
        (lambda noise: squash(noise) * float("nan"), "NaN or infinite"),
        (lambda noise: squash(noise) / 0.0, "NaN or infinite"),
        (lambda noise: noise @ torch.ones(3, 3), "fails on noise of shape"),
        (lambda noise: squash(noise) * 127 + 127, "outside the declared range"),
        (lambda noise: squash(noise) * 0.5 + 0.5, "lower half of the declared range"),
        (lambda: 0, "fails on noise"),
    ],
)
def test_a_network_that_does_not_do_as_it_says_is_an_input_error(function, message):
    with pytest.raises(InputError, match=message) as caught:
        source(function).read(0, 16)
    assert "toy" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_points_are_not_quantised():
    points = source(lambda noise: noise[:, :2] * 100, shape=(2,), limits=None).read(0, 10)
    assert points.dtype == torch.float32
    assert float(points.abs().max()) > 1


@pytest.mark.parametrize(
    ("value", "byte"),
    [
        (-1.0, 0),
        (1.0, 255),
        (-1.01, 0),
        (1.01, 255),
        (-9.0, 0),
        (9.0, 255),
        (0.0, 128),
        (2 / 255 * 0.49 - 1, 0),
        (2 / 255 * 0.51 - 1, 1),
    ],
)
def test_values_are_rounded_and_clipped_never_wrapped(value, byte):
    assert quantise(torch.tensor([value]), (-1.0, 1.0)).tolist() == [byte]


def test_every_byte_survives_the_way_to_floats_and_back():
    values = torch.arange(256)
    for low, high in ((-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)):
        assert quantise(values / 255 * (high - low) + low, (low, high)).tolist() == values.tolist()
