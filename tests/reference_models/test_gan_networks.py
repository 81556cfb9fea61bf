from __future__ import annotations

import pytest
import torch

from gandiag import InputError
from reference_models.networks.discriminators import dcgan as dcgan_discriminator
from reference_models.networks.discriminators import mlp as mlp_discriminator
from reference_models.networks.generators import dcgan as dcgan_generator
from reference_models.networks.generators import mlp as mlp_generator


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("initialisation", ["default", "normal"])
def test_dcgan_generator_makes_images(channels, initialisation):
    network = dcgan_generator.build(latent_dim=5, channels=channels, width=8, initialisation=initialisation)
    images = network(10 * torch.randn(4, 5, generator=torch.Generator().manual_seed(0)))
    assert images.shape == (4, channels, 28, 28)
    assert images.abs().max() <= 1


def test_dcgan_generator_has_the_parameters_of_its_layers():
    linear = 64 * 64 * 49
    norms = 2 * 64 + 2 * 32
    transposed = 64 * 32 * 16
    last = 32 * 12 * 9 + 12
    assert count(dcgan_generator.build(latent_dim=64, channels=3)) == linear + norms + transposed + last == 237_132


def test_dcgan_generator_without_norm_has_biases_instead_and_makes_each_image_alone():
    network = dcgan_generator.build(latent_dim=64, channels=3, norm="none")
    assert count(network) == 237_132 - 2 * (64 + 32) + 64 * 49 + 32
    noise = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(noise)[2:3], network(noise[2:3]))


def test_dcgan_discriminator_has_the_parameters_of_its_layers():
    plain = (3 * 16 * 16 + 16) + (16 * 32 * 16 + 32) + (32 * 64 * 9 + 64) + (64 * 16 + 1)
    assert count(dcgan_discriminator.build(channels=3, norm="none")) == plain == 28_529
    # Batch norm has a scale and a shift for each channel, the convolution before it no bias.
    assert count(dcgan_discriminator.build(channels=3, norm="batch")) == plain + 32 + 64


def test_dcgan_discriminator_without_norm_judges_each_image_alone():
    network = dcgan_discriminator.build(channels=1, width=4, norm="none")
    images = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    logits = network(images)
    assert logits.shape == (6,)
    torch.testing.assert_close(network(images[2:3]), logits[2:3])


def test_dcgan_of_one_image_is_translation_covariant_in_its_seed():
    # A constant 7 x 7 map gives an image that repeats away from the border, if the layers are laid out right.
    network = dcgan_generator.build(latent_dim=1, channels=1, width=2).eval()
    torch.nn.init.ones_(network.seed.weight)
    (image,) = network(torch.ones(1, 1))[:, 0].detach()
    torch.testing.assert_close(image[8:12, 8:12], image[12:16, 16:20])


@pytest.mark.parametrize(("shape", "bounded"), [([1, 28, 28], True), ([3, 8, 8], True), ([2], False)])
def test_mlp_generator_bounds_images_and_not_points(shape, bounded):
    network = mlp_generator.build(latent_dim=3, shape=shape, hidden=[8], norm="none")
    samples = network(1e4 * torch.randn(16, 3, generator=torch.Generator().manual_seed(0)))
    assert samples.shape == (16, *shape)
    assert (samples.abs().max() <= 1) == bounded


def test_mlps_have_the_parameters_of_their_layers():
    generator = mlp_generator.build(latent_dim=64, shape=[1, 28, 28], hidden=[128, 256], norm="batch")
    assert count(generator) == 64 * 128 + 2 * 128 + 128 * 256 + 2 * 256 + 256 * 784 + 784
    discriminator = mlp_discriminator.build(shape=[1, 28, 28], hidden=[256, 128])
    assert count(discriminator) == 784 * 256 + 256 + 256 * 128 + 128 + 128 + 1
    assert discriminator(torch.zeros(5, 1, 28, 28)).shape == (5,)


@pytest.mark.parametrize("norm", ["layer", "instance"])
def test_norms_of_one_sample_judge_and_make_each_alone(norm):
    images = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    judge = dcgan_discriminator.build(channels=1, width=4, norm=norm)
    torch.testing.assert_close(judge(images[2:3]), judge(images)[2:3])
    maker = dcgan_generator.build(latent_dim=5, channels=1, width=8, norm=norm)
    noise = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(maker(noise[2:3]), maker(noise)[2:3])


@pytest.mark.parametrize(
    "network",
    [
        mlp_discriminator.build(shape=[1, 28, 28], hidden=[8], num_classes=3),
        dcgan_discriminator.build(channels=1, width=4, norm="none", num_classes=3),
    ],
)
def test_a_conditional_discriminator_sees_the_label(network):
    images = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    one, other = network(images, torch.tensor([0, 1])), network(images, torch.tensor([0, 2]))
    assert one[0] == other[0]
    assert one[1] != other[1]
    with pytest.raises(InputError, match="takes labels"):
        network(images)


@pytest.mark.parametrize(
    "network",
    [
        mlp_generator.build(latent_dim=4, shape=[1, 28, 28], norm="none", num_classes=3),
        dcgan_generator.build(latent_dim=4, channels=1, width=4, norm="none", num_classes=3),
    ],
)
def test_a_conditional_generator_is_told_the_label(network):
    noise = torch.zeros(3, 4)
    samples = network(noise, torch.tensor([0, 0, 2]))
    assert samples.shape == (3, 1, 28, 28)
    assert torch.equal(samples[0], samples[1])
    assert not torch.equal(samples[0], samples[2])
    with pytest.raises(InputError, match="takes labels"):
        network(noise)


@pytest.mark.parametrize(
    ("network", "count"),
    [(mlp_discriminator.build(shape=[2], hidden=[8, 5]), 5), (mlp_discriminator.build(shape=[2], hidden=[]), 2)],
)
def test_the_head_maps_the_features_to_the_logits(network, count):
    logits, features = network(torch.randn(4, 2, generator=torch.Generator().manual_seed(0)), with_features=True)
    assert features.shape == (4, count) == (4, network.feature_count)
    torch.testing.assert_close(network.head(features).squeeze(1), logits)


def test_dropout_leaves_units_out_in_training_only():
    network = mlp_discriminator.build(shape=[2], hidden=[64, 64], dropout=0.5)
    points = torch.ones(1, 2)
    assert network(points) != network(points)
    assert network.eval()(points) == network(points)


def test_an_mlp_without_hidden_layers_is_a_linear_map():
    network = mlp_generator.build(latent_dim=3, shape=[2], hidden=[])
    one, other = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(one + other), network(one) + network(other) - network(torch.zeros(4, 3)))


@pytest.mark.parametrize(
    ("build", "arguments", "told"),
    [
        (dcgan_generator.build, {"latent_dim": 0, "channels": 1}, "latent_dim is 0"),
        (dcgan_generator.build, {"latent_dim": 8, "channels": True}, "channels is True"),
        (dcgan_generator.build, {"latent_dim": 8, "channels": 1, "width": 7}, "width is 7"),
        (dcgan_generator.build, {"latent_dim": 8, "channels": 1, "width": 1 << 40}, "width is"),
        (dcgan_generator.build, {"latent_dim": 8, "channels": 1, "initialisation": "zero"}, "default, normal"),
        (dcgan_discriminator.build, {"channels": 1, "norm": "batsh"}, "norm is 'batsh', expected one of batch, layer"),
        (dcgan_discriminator.build, {"channels": 1, "dropout": 1}, "dropout is 1, expected a number from 0 to 0.99"),
        (
            mlp_discriminator.build,
            {"shape": [2], "norm": "instance"},
            "norm is 'instance', expected one of batch",
        ),
        (mlp_generator.build, {"latent_dim": 8, "shape": [2], "num_classes": 0}, "num_classes is 0"),
        (dcgan_discriminator.build, {"channels": 1.5}, "channels is 1.5"),
        (mlp_generator.build, {"latent_dim": 8, "shape": [28, 28]}, "shape has 2 entries, expected 1 or 3"),
        (mlp_generator.build, {"latent_dim": 8, "shape": "abc"}, "expected a list"),
        (mlp_generator.build, {"latent_dim": 8, "shape": [1 << 20, 1 << 20, 1 << 20]}, "too large"),
        (mlp_discriminator.build, {"shape": [2], "hidden": [16, -1]}, "hidden is -1"),
        (mlp_generator.build, {"latent_dim": 8, "shape": [2], "hidden": [1] * 100_000}, "hidden has 100,000 entries"),
    ],
)
def test_bad_arguments_are_told(build, arguments, told):
    with pytest.raises(InputError, match=told.replace("(", r"\(")):
        build(**arguments)
