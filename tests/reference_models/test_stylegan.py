from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_runs import quiet, stop_at
from torch.nn import functional

from gandiag import UsageError, load_checkpoint
from gandiag.sources.generator import checkpoint_source
from reference_models.networks.discriminators import residual
from reference_models.networks.generators import stylegan
from reference_models.recipe import Choice
from reference_models.techniques.path_length import PathLength, path_lengths
from reference_models.techniques.style_mixing import StyleMixing
from reference_models.training.loops import train


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        yield


def small(**changes):
    return stylegan.build(**{"latent_dim": 5, "shape": [3, 32, 32], "width": 4, "style_dim": 6} | changes)


def test_demodulated_outputs_have_variance_one_whatever_the_style():
    layer = stylegan.ModulatedConv2d(16, 8, 3, 4)
    style = 10 * torch.randn(3, 4)
    made = layer(torch.randn(3, 16, 64, 64), style)[:, :, 1:-1, 1:-1]
    assert made.var(dim=(2, 3)).detach().flatten().tolist() == pytest.approx([1.0] * 24, rel=0.15)


def test_modulation_is_that_of_the_paper():
    layer = stylegan.ModulatedConv2d(5, 4, 3, 6)
    maps, style = torch.randn(2, 5, 7, 7), torch.randn(2, 6)
    for index in range(2):
        weight = layer.weight * layer.scale * layer.style(style)[index][None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected = functional.conv2d(maps[index : index + 1], weight, padding=1)
        assert torch.allclose(layer(maps, style)[index : index + 1], expected, atol=1e-5)


def test_shapes_and_the_range_of_images():
    for shape in ([1, 28, 28], [3, 32, 32], [3, 64, 64]):
        made = small(shape=shape)(torch.randn(2, 5))
        assert list(made.shape[1:]) == shape
        assert float(made.detach().abs().max()) <= 1
        assert residual.build(shape=shape, width=4)(made).shape == (2,)


def test_an_image_in_evaluation_depends_on_its_latent_alone():
    network = small()
    for layer in network.layers:
        layer.strength.data.fill_(1.0)
    noise = torch.randn(4, 5)
    network.eval()
    assert torch.equal(network(noise), network(noise))
    assert torch.allclose(network(noise)[2:3], network(noise[2:3]), atol=1e-4)
    network.train()
    assert not torch.allclose(network(noise), network(noise), atol=1e-3)


def test_noise_and_mixing_depend_on_the_random_state():
    network = small()
    StyleMixing(1.0).alter_generator(network)
    noise = torch.randn(64, 5)
    plain = network.mapping(noise)
    styles = network.styles(noise)
    # All samples are mixed: the first layer has the own style, the last the neighbour's, and they change once.
    assert torch.equal(styles[:, 0], plain)
    assert torch.equal(styles[:, -1], plain.roll(1, 0))
    own = (styles == plain[:, None]).all(2)
    assert bool((own[:, :-1] | ~own[:, 1:]).all())
    assert len({int(count) for count in own.sum(1)}) == styles.shape[1] - 1
    network.eval()
    assert torch.equal(network.styles(noise)[:, -1], network.mapping(noise))


def test_the_path_length_of_a_linear_map_is_that_of_its_transpose():
    matrix, styles = torch.randn(12, 3), torch.randn(4, 1, 3, requires_grad=True)

    def synthesise(given):
        return (given[:, 0] @ matrix.T).view(-1, 3, 2, 2)

    found = path_lengths(synthesise, styles, torch.Generator().manual_seed(3))
    direction = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(3)).flatten(1) / 2
    assert torch.allclose(found, (direction @ matrix).norm(dim=1), atol=1e-5)
    # A map that is twice as steep has paths twice as long.
    steeper = path_lengths(lambda given: 2 * synthesise(given), styles, torch.Generator().manual_seed(3))
    assert torch.allclose(steeper, 2 * found, atol=1e-5)


def test_the_expected_square_of_a_path_is_that_of_the_matrix():
    matrix, styles = torch.randn(4, 3), torch.randn(20_000, 1, 3, requires_grad=True)
    lengths = path_lengths(lambda given: (given[:, 0] @ matrix.T).view(-1, 1, 2, 2), styles, torch.Generator())
    # The direction has variance 1/4 in each of the four numbers.
    assert float(lengths.square().mean()) == pytest.approx(float(matrix.square().sum()) / 4, rel=0.03)


def test_the_first_batch_is_held_to_its_own_mean_length_not_to_none(make_run, recipe):
    given = {**changes(recipe), "steps": 1, "techniques": (Choice("path_length", {"decay": 1e-6}),)}
    state = torch.load(
        train(make_run("run", **given), quiet, {}, resume=False).with_name("state.pt"), weights_only=True
    )
    assert float(state["techniques"]["path_length"]["mean"]) > 1e-3


@pytest.mark.parametrize("technique", [StyleMixing(), PathLength()])
def test_a_generator_without_styles_is_refused(technique):
    with pytest.raises(UsageError, match="generator with styles"):
        technique.alter_generator(torch.nn.Linear(1, 1))


def test_a_generator_of_one_layer_has_nothing_to_mix():
    generator = stylegan.build(latent_dim=3, shape=[1, 15, 15], width=4, style_dim=4)
    with pytest.raises(UsageError, match="two layers or more"):
        StyleMixing().alter_generator(generator)


def changes(recipe):
    return {
        "generator": replace(recipe.generator, network="stylegan", config={"width": 4, "style_dim": 4}),
        "discriminator": replace(recipe.discriminator, network="residual", config={"width": 4}),
        "techniques": (Choice("style_mixing", {}), Choice("path_length", {"interval": 2, "decay": 0.5})),
        "steps": 5,
    }


def test_a_run_resumes_bit_for_bit_and_its_checkpoint_is_reproducible(make_run, recipe):
    whole = train(make_run("whole", **changes(recipe)), quiet, {}, resume=False)
    with pytest.raises(KeyboardInterrupt):
        train(make_run("parts", **changes(recipe)), stop_at(3), {}, resume=False)
    again = train(make_run("parts", **changes(recipe)), quiet, {}, resume=True)
    one, other = load_checkpoint(whole), load_checkpoint(again)
    assert all(torch.equal(value, other.generator[key]) for key, value in one.generator.items())
    states = [torch.load(path.with_name("state.pt"), weights_only=True) for path in (whole, again)]
    means = [state["techniques"]["path_length"]["mean"] for state in states]
    assert float(means[0]) > 0
    assert torch.equal(*means)
    source = checkpoint_source(one)
    apart = (source.read(0, 9)[4:].int() - source.read(4, 9).int()).abs()
    assert int(apart.max()) <= 1
