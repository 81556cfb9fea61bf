from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_runs import quiet, stop_at

from gandiag import InputError, Latent, UsageError, load_checkpoint
from reference_models.losses._loss import Loss
from reference_models.networks.discriminators import progressive as discriminators
from reference_models.networks.equalised import EqualisedConv2d, EqualisedLinear, PixelNorm
from reference_models.networks.generators import progressive as generators
from reference_models.networks.pyramid import enlarged, pyramid, reduced, widths
from reference_models.recipe import Choice
from reference_models.techniques._technique import Moment, Setting
from reference_models.techniques.progressive_growing import ProgressiveGrowing
from reference_models.training.loops import train


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        yield


@pytest.mark.parametrize(
    ("side", "sides"), [(28, [7, 14, 28]), (32, [4, 8, 16, 32]), (64, [4, 8, 16, 32, 64]), (4, [4]), (15, [15])]
)
def test_sides_double_up_to_that_of_the_images(side, sides):
    assert pyramid("x", [3, side, side]) == (3, sides)


@pytest.mark.parametrize("shape", [[1, 28, 14], [1, 31, 31], [2], [1, 2, 2]])
def test_images_that_cannot_be_halved_are_refused(shape):
    with pytest.raises(InputError):
        generators.build(latent_dim=2, shape=shape)


def test_widths_halve_down_to_the_fewest():
    assert widths(64, [4, 8, 16, 32]) == [64, 32, 16, 16]
    assert widths(4, [4, 8]) == [4, 4]


def test_pixel_norm_has_mean_square_one_at_each_place():
    values = torch.tensor([[[[3.0]], [[4.0]]]])
    # The mean square is 12.5.
    assert PixelNorm()(values).flatten().tolist() == pytest.approx([3 / 12.5**0.5, 4 / 12.5**0.5])
    assert PixelNorm()(torch.randn(2, 5, 3, 3)).square().mean(1) == pytest.approx(1, abs=1e-5)


def test_equalised_layers_keep_the_variance_and_scale_by_the_inputs():
    linear = EqualisedLinear(400, 300, gain=1.0)
    assert float(linear(torch.randn(200, 400)).detach().var()) == pytest.approx(1, rel=0.05)
    assert float(linear.weight.detach().std()) == pytest.approx(1, rel=0.02)
    assert linear.scale == pytest.approx(1 / 20)
    convolution = EqualisedConv2d(8, 8, 3)
    assert convolution.scale == pytest.approx((2 / 72) ** 0.5)
    slow = EqualisedLinear(4, 4, gain=1.0, rate=0.01, bias=1.0)
    assert float((slow.bias * slow.rate).detach().mean()) == pytest.approx(1)
    assert slow.scale * float(slow.weight.detach().abs().mean()) == pytest.approx(
        0.5 * float((slow.weight.detach() * 0.01).abs().mean())
    )


def test_averaging_undoes_repeating():
    small = torch.randn(2, 3, 7, 7)
    assert torch.allclose(reduced(enlarged(small, 28), 7), small, atol=1e-6)


def test_a_fading_stage_begins_as_the_one_below_and_ends_as_itself():
    network = generators.build(latent_dim=5, shape=[1, 28, 28], width=4)
    noise = torch.randn(3, 5)
    made = {}
    for growth in (0.0, 0.5, 1.0, 1.0 + 1 / 1024, 1.5, 2.0):
        network.grow(growth)
        made[growth] = network(noise)
        assert made[growth].shape == (3, 1, 28, 28)
    for growth, side in ((0.0, 7), (1.0, 14), (2.0, 28)):
        coarse = enlarged(reduced(made[growth], side), 28)
        assert torch.allclose(coarse, made[growth], atol=1e-6)
    assert not torch.allclose(enlarged(reduced(made[2.0], 14), 28), made[2.0], atol=1e-3)
    # By hand: halfway, before the hyperbolic tangent, is the mean of both ends, since both painters are linear.
    middle = (made[1.0].atanh() + made[2.0].atanh()) / 2
    assert torch.allclose(made[1.5].atanh(), middle, atol=1e-4)
    assert torch.allclose(made[1.0 + 1 / 1024], made[1.0], atol=0.02)


def test_the_discriminator_fades_in_too():
    network = discriminators.build(shape=[1, 28, 28], width=4)
    images = torch.randn(3, 1, 28, 28)
    body = network.body
    body.grow(1.0)
    low = network(images)
    assert torch.allclose(network(enlarged(reduced(images, 14), 28)), low, atol=1e-5)  # it sees no more than 14 x 14
    body.grow(1.0 + 1 / 1024)
    assert torch.allclose(network(images), low, atol=0.02)
    body.grow(2.0)
    assert not torch.allclose(network(images), low, atol=1e-3)


def setting(**changes):
    loss = Loss(lambda r, f: f.mean(), lambda r, f: f.mean())
    return replace(Setting(loss, (1, 28, 28), Latent(4), 8, None), **changes)


def test_growth_follows_the_steps():
    technique = ProgressiveGrowing(stage=10, fade=4)
    technique.begin(setting())
    found = [technique.growth(step) for step in (0, 9, 10, 12, 13, 19, 20, 23, 24, 999)]
    assert found == pytest.approx([0, 0, 0.25, 0.75, 1, 1, 1.25, 2, 2, 2])


def test_real_images_fade_in_with_the_networks():
    technique = ProgressiveGrowing(stage=2, fade=2)
    technique.begin(setting())
    generator = generators.build(latent_dim=4, shape=[1, 28, 28], width=4)
    discriminator = discriminators.build(shape=[1, 28, 28], width=4)
    images = torch.randn(2, 1, 28, 28)

    def viewed(step):
        moment = Moment(0.0, lambda purpose: torch.Generator(), torch.device("cpu"), step)
        technique.before_step(generator, discriminator, moment)
        return technique.view(images, "real", moment)

    assert torch.equal(viewed(0), images)  # the discriminator itself looks at 7 x 7
    half = reduced(viewed(2), 14)
    assert torch.allclose(half, (reduced(images, 14) + enlarged(reduced(images, 7), 14)) / 2, atol=1e-6)
    assert int(generator.growth) == int(discriminator.body.growth) == 512
    assert torch.equal(viewed(3), images)
    assert torch.equal(viewed(99), images)


def test_networks_that_cannot_grow_and_wrong_numbers_are_refused():
    with pytest.raises(UsageError, match="networks that grow"):
        ProgressiveGrowing().alter_generator(torch.nn.Linear(1, 1))
    with pytest.raises(UsageError, match="fade is 9, more than"):
        ProgressiveGrowing(stage=3, fade=9)
    with pytest.raises(UsageError, match="stage is 0"):
        ProgressiveGrowing(stage=0)


@pytest.mark.parametrize("stop", [1, 3, 6])
def test_a_growing_run_resumes_bit_for_bit(make_run, recipe, stop):
    grown = (Choice("progressive_growing", {"stage": 2, "fade": 2}), Choice("minibatch_standard_deviation", {}))
    changes = {
        "generator": replace(recipe.generator, network="progressive", config={"width": 4}),
        "discriminator": replace(recipe.discriminator, network="progressive", config={"width": 4}),
        "techniques": grown,
        "steps": 7,
    }
    whole = train(make_run("whole", **changes), quiet, {}, resume=False)
    with pytest.raises(KeyboardInterrupt):
        train(make_run("parts", **changes), stop_at(stop), {}, resume=False)
    part = load_checkpoint(make_run("parts").folder.checkpoint)
    assert int(part.generator["growth"]) == int(part.generator_ema["growth"]) == {1: 0, 3: 512, 6: 2048}[stop]
    again = train(make_run("parts", **changes), quiet, {}, resume=True)
    one, other = load_checkpoint(whole), load_checkpoint(again)
    assert all(torch.equal(value, other.generator[key]) for key, value in one.generator.items())
    assert all(torch.equal(value, other.generator_ema[key]) for key, value in one.generator_ema.items())
