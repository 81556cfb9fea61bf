"""Steps in the latent space."""

from __future__ import annotations

import pytest
import torch

import gandiag
from gandiag import ImageSpec, InputError, Latent
from gandiag.core.protocols import Conditioning, ExtractorOptions
from gandiag.evaluation.paths import STEP, path_lengths
from gandiag.extractors import open_extractor
from gandiag.sources.generator import generator_source


def source(function, distribution="normal", **options):
    latent = Latent(8, distribution)
    return generator_source(function, name="g", latent=latent, image=ImageSpec((8,), None), seed=1, **options)


def test_of_the_identity_it_is_the_angle_times_the_length():
    """A step of dt along a great circle of radius r by the angle w moves r w dt."""
    generator = source(lambda noise: noise)
    found = path_lengths(generator, open_extractor("pixels", ExtractorOptions()), 0, 400)
    begin, end = generator.noise(0, 400).double(), generator.noise(0, 400, "path end").double()
    angle = torch.nn.functional.cosine_similarity(begin, end).acos()
    torch.testing.assert_close(found.double(), (begin.norm(dim=1) * angle) ** 2, rtol=1e-2, atol=1e-3)


def test_a_straight_step_of_uniform_noise():
    generator = source(lambda noise: 3 * noise, "uniform")
    found = path_lengths(generator, open_extractor("pixels", ExtractorOptions()), 0, 100)
    expected = 9 * (generator.noise(0, 100, "path end") - generator.noise(0, 100)).square().sum(dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-3)


def test_steps_are_on_the_sphere_and_depend_on_the_index_alone():
    generator = source(lambda noise: noise)
    one, other = generator.path_ends(0, 50, STEP)
    torch.testing.assert_close(one.norm(dim=1), generator.noise(0, 50).norm(dim=1), rtol=1e-5, atol=0)
    assert torch.equal(generator.path_ends(20, 50, STEP)[1], other[20:])


def test_the_label_is_held_and_noise_inside_the_network_too():
    def generator(noise, labels):
        return noise + labels[:, None] * 100 + torch.randn(noise.shape)

    conditional = source(generator, conditioning=Conditioning(10))
    one, other = conditional.path_ends(0, 100, STEP)
    assert (one - other).abs().max() < 0.1


def test_images_are_not_quantised():
    latent, image = Latent(4), ImageSpec((1, 28, 28))
    weight = torch.randn(4, 784, generator=torch.Generator().manual_seed(0)) / 50
    options = {"against": "mnist:test", "latent": latent, "image": image, "samples": 100, "extractor": "pixels"}
    score = gandiag.score(lambda noise: (noise @ weight).view(-1, 1, 28, 28), "ppl", **options)["ppl"]
    assert score.value > 0
    with pytest.raises(gandiag.UsageError, match="ppl is of steps so short that another precision rounds them away"):
        gandiag.score(lambda noise: (noise @ weight).view(-1, 1, 28, 28), "ppl", **options, precision="bf16")
    with pytest.raises(gandiag.UsageError, match="without a generator"):
        gandiag.score("mnist:test", "ppl", samples=100)


def test_a_source_without_a_generator_is_refused():
    digits = gandiag.load_dataset("mnist")
    with pytest.raises(InputError, match="has none"):
        path_lengths(digits, open_extractor("pixels", ExtractorOptions()), 0, 10)
