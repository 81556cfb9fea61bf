"""What each technique does, by hand calculation on tiny networks."""

from __future__ import annotations

import math
import pkgutil
from dataclasses import replace

import pytest
import torch
from torch import nn

import reference_models.techniques
from gandiag import Latent, UnknownNameError, UsageError
from reference_models import catalogue
from reference_models.networks.discriminators import dcgan, mlp, patch, progressive, residual
from reference_models.networks.equalised import EqualisedConv2d, EqualisedLinear
from reference_models.recipe import Choice
from reference_models.techniques._technique import Moment, Setting, Turn
from reference_models.techniques.minibatch_discrimination import Closeness
from reference_models.techniques.minibatch_standard_deviation import Spread
from reference_models.training import seeds
from reference_models.training.techniques import alter_discriminator, make_techniques

NAMES = [module.name for module in pkgutil.iter_modules(reference_models.techniques.__path__) if module.name[0] != "_"]
NOTHING = torch.zeros(0)


def draw(purpose):
    return seeds.generator(0, purpose)


def moment(part=0.0):
    return Moment(part, draw, torch.device("cpu"))


def setting(loss="non_saturating", **changes):
    plain = Setting(catalogue.part("losses", "loss", loss).LOSS, (2,), Latent(3), 4, None, judged=4)
    return replace(plain, **changes)


def technique(name, about=None, **config):
    made = catalogue.part("techniques", "technique", name).TECHNIQUE(**config)
    made.begin(about or setting())
    return made


def turn(**changes):
    plain = Turn(
        moment=moment(),
        generator=nn.Identity(),
        discriminator=nn.Identity(),
        judge=nn.Identity(),
        view=nn.Identity(),
        labels=None,
        noise=torch.zeros(4, 3),
        samples=torch.zeros(4, 2),
        made=torch.zeros(4, 2),
        real=torch.zeros(4, 2),
        fake=torch.zeros(4, 2),
        real_logits=torch.zeros(4),
        fake_logits=torch.zeros(4),
        real_features=NOTHING,
        fake_features=NOTHING,
    )
    return replace(plain, **changes)


def test_feature_matching_is_the_squared_distance_of_the_means():
    seen = turn(
        real_features=torch.tensor([[1.0, 0.0], [3.0, 0.0]]), fake_features=torch.tensor([[0.0, 1.0], [0.0, 3.0]])
    )
    # The means are (2, 0) and (0, 2), at a squared distance of 8.
    assert technique("feature_matching", weight=0.5).generator_loss(torch.tensor(1.0), seen) == 1 + 4
    alone = technique("feature_matching", weight=0.5, adversarial_weight=0)
    assert alone.generator_loss(torch.tensor(1.0), seen) == 4


def test_minibatch_discrimination_is_the_mean_closeness_to_the_others():
    judge = mlp.build(shape=[2], hidden=[])
    technique("minibatch_discrimination", kernels=2, dims=1).alter_discriminator(judge)
    closeness = judge.head[0]
    closeness.projection.data = torch.tensor([[[1.0], [0.0]], [[0.0], [2.0]]])
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    joined = closeness(points)
    assert torch.equal(joined[:, :2], points)
    e = math.exp
    first = [e(-1) + 1, 2 * e(-1), 1 + e(-1)]  # distances along the first coordinate: 1, 0 and 1
    second = [1 + e(-6), 1 + e(-6), 2 * e(-6)]  # twice those along the second: 0, 6 and 6
    torch.testing.assert_close(joined[:, 2:], torch.tensor([first, second]).T / 2)
    assert judge(points).shape == (3,)


def test_minibatch_standard_deviation_is_zero_for_copies_and_known_for_two_points():
    judge = mlp.build(shape=[2], hidden=[])
    technique("minibatch_standard_deviation", group=2).alter_discriminator(judge)
    spread = judge.head[0]
    # Samples 0 and 2 are a group, and 1 and 3: half the distances are 1 and 2, 0 and 0.
    points = torch.tensor([[0.0, 0.0], [7.0, 7.0], [2.0, 4.0], [7.0, 7.0]])
    joined = spread(points)
    assert torch.equal(joined[:, :2], points)
    torch.testing.assert_close(joined[:, 2], torch.tensor([1.5, 1e-4, 1.5, 1e-4]), rtol=0, atol=1e-6)
    assert judge(points).shape == (4,)


def test_minibatch_standard_deviation_joins_one_more_channel_to_features_that_are_a_map():
    judge = dcgan.build(channels=1, width=4, norm="none")
    technique("minibatch_standard_deviation", group=4).alter_discriminator(judge)
    images = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    features = judge.body(images).view(4, 16, 4, 4)
    channel = features.std(0, correction=0).mean().expand(4, 1, 4, 4)  # arXiv:1710.10196, section 3
    joined = judge.head[0](features.flatten(1)).view(4, 17, 4, 4)
    torch.testing.assert_close(joined, torch.cat([features, channel], dim=1))
    assert judge(images).shape == (4,)


@pytest.mark.parametrize("names", [("discrimination", "standard_deviation"), ("standard_deviation", "discrimination")])
def test_both_minibatch_techniques_join_the_head_and_keep_its_kind_of_layer(recipe, names):
    both = replace(recipe, techniques=tuple(Choice(f"minibatch_{name}", {}) for name in names))
    judge = progressive.build(shape=[1, 28, 28], width=4)
    alter_discriminator(make_techniques(both, setting()), judge)
    assert {type(module) for module in judge.head} == {Closeness, Spread, EqualisedLinear}
    assert judge.head[2].weight.shape == (1, 4 + 16 + 1)
    assert judge(torch.zeros(4, 1, 28, 28)).shape == (4,)


def test_minibatch_discrimination_keeps_the_equalised_head():
    judge = progressive.build(shape=[1, 28, 28], width=4)
    technique("minibatch_discrimination").alter_discriminator(judge)
    assert isinstance(judge.head[1], EqualisedLinear)


def test_a_group_divides_the_packs_that_the_discriminator_sees(recipe):
    chosen = (Choice("minibatch_standard_deviation", {"group": 4}), Choice("packing", {"samples": 2}))
    with pytest.raises(UsageError, match="group is 4, which does not divide the 2 that the discriminator judges"):
        make_techniques(replace(recipe, techniques=chosen), setting())
    make_techniques(replace(recipe, techniques=chosen), setting(batch_size=8))


@pytest.mark.parametrize("name", ["feature_matching", "minibatch_discrimination", "minibatch_standard_deviation"])
def test_a_technique_of_features_refuses_a_discriminator_without(recipe, name):
    made = make_techniques(replace(recipe, techniques=(Choice(name, {}),)), setting())
    with pytest.raises(UsageError, match=f"technique {name} needs a discriminator with features"):
        alter_discriminator(made, patch.build(channels=1))


@pytest.mark.parametrize(("loss", "constant"), [("non_saturating", 0.0), ("least_squares", (0.9**2 - 1) / 2)])
def test_label_smoothing_is_the_loss_with_the_target(loss, constant):
    real, fake = torch.tensor([0.5, -2.0, 3.0]), torch.tensor([0.1, 0.2, 0.3])
    players = catalogue.part("losses", "loss", loss).LOSS
    smooth = technique("label_smoothing", setting(loss), target=0.9)
    found = smooth.discriminator_loss(players.discriminator(real, fake), turn(real_logits=real)) + constant
    if loss == "least_squares":
        expected = ((real - 0.9).square().mean() + fake.square().mean()) / 2
    else:
        entropy = nn.functional.binary_cross_entropy_with_logits
        expected = entropy(real, torch.full((3,), 0.9)) + entropy(fake, torch.zeros(3))
    torch.testing.assert_close(found, expected)


def test_spectral_normalisation_makes_every_layer_of_norm_one():
    judge = mlp.build(shape=[2], hidden=[8, 8])
    with torch.no_grad():
        judge.head.weight.mul_(50)
    technique("spectral_normalisation", iterations=30).alter_discriminator(judge)
    judge(torch.ones(1, 2))
    layers = [module for module in judge.modules() if isinstance(module, nn.Linear)]
    assert len(layers) == 3
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("network", [residual, progressive])
def test_spectral_normalisation_makes_equalised_layers_of_norm_one(network):
    judge = network.build(shape=[1, 28, 28], width=4)
    technique("spectral_normalisation", iterations=100).alter_discriminator(judge)
    judge(torch.ones(2, 1, 28, 28))
    layers = [module for module in judge.modules() if isinstance(module, (EqualisedLinear, EqualisedConv2d))]
    assert layers
    for layer in layers:
        used = (layer.weight * layer.scale).flatten(1)  # what the samples meet
        assert torch.linalg.matrix_norm(used, 2).item() == pytest.approx(1, abs=0.02)


def test_spectral_normalisation_comes_after_what_adds_layers(recipe):
    both = replace(
        recipe, techniques=(Choice("spectral_normalisation", {}), Choice("minibatch_standard_deviation", {}))
    )
    judge = mlp.build(shape=[2], hidden=[8])
    alter_discriminator(make_techniques(both, setting()), judge)
    assert hasattr(judge.head[1], "parametrizations")


def test_historical_averaging_holds_a_player_at_its_mean():
    player = nn.Linear(1, 1, bias=False)
    held = technique("historical_averaging", weight=0.5)
    for value in (1.0, 3.0, 8.0):
        nn.init.constant_(player.weight, value)
        held.after_discriminator(player)
    # The mean is 4, and the weight 8.
    loss = held.discriminator_loss(torch.tensor(1.0), turn(discriminator=player))
    assert loss.item() == pytest.approx(1 + 0.5 * 16)
    loss.backward()
    assert player.weight.grad.item() == pytest.approx(0.5 * 2 * 4)
    other = technique("historical_averaging", weight=0.5)
    other.load(held.state())
    assert other.discriminator_loss(torch.tensor(1.0), turn(discriminator=player)).item() == loss.item()


def test_instance_noise_has_its_deviation_and_fades():
    noisy = technique("instance_noise", deviation=0.5, until=0.5)
    zeros = torch.zeros(200, 100)
    for part, deviation in ((0.0, 0.5), (0.25, 0.25)):
        assert noisy.view(zeros, "real", moment(part)).std().item() == pytest.approx(deviation, rel=0.03)
    assert noisy.view(zeros, "real", moment(0.7)) is zeros
    assert not torch.equal(noisy.view(zeros, "real", moment()), noisy.view(zeros, "fake", moment()))


def test_experience_replay_hands_out_old_fakes_and_keeps_new_ones():
    store = technique("experience_replay", share=0.5, size=6)
    batches = [torch.arange(4.0 * k, 4 * k + 4).unsqueeze(1) for k in range(20)]
    assert torch.equal(store.replay(batches[0], moment()), batches[0])
    assert torch.equal(store.replay(batches[1], moment()), batches[1])
    assert sorted(store.state()["store"].flatten().tolist()) == [0, 1, 2, 3, 4, 5]
    mixed = store.replay(batches[2], moment()).flatten().tolist()
    assert mixed[2:] == [10, 11]
    assert set(mixed[:2]) < {0, 1, 2, 3, 4, 5}
    kept = set(store.state()["store"].flatten().tolist())
    assert kept == ({0, 1, 2, 3, 4, 5} - set(mixed[:2])) | {8, 9}


def test_mode_seeking_is_small_where_samples_differ_as_their_noise_does():
    seeking = technique("mode_seeking", weight=2.0)
    noise = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    for scale in (1.0, 4.0):
        seen = turn(generator=lambda z, scale=scale: scale * z, noise=noise, made=scale * noise)
        value = seeking.generator_loss(torch.tensor(0.0), seen).item()
        assert value == pytest.approx(2.0 / (scale + 1e-5), rel=1e-4)
    collapsed = turn(generator=lambda z: torch.zeros(4, 3), noise=noise, made=torch.zeros(4, 3))
    assert seeking.generator_loss(torch.tensor(0.0), collapsed).item() == pytest.approx(2e5)


def test_unrolling_is_gradient_descent_of_the_discriminator():
    judge = nn.Linear(1, 1, bias=False)

    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = judge

        def forward(self, samples):
            return self.inner(samples).squeeze(1)

    nn.init.constant_(judge.weight, 0.3)
    ahead = technique("unrolling", setting("wasserstein"), updates=3, learning_rate=0.1)
    real, fake = torch.tensor([[2.0]]), torch.tensor([[0.5]], requires_grad=True)
    looked = ahead.look_ahead(Flat(), real, fake, None)
    # The loss w f - w r has the slope f - r: three updates add 3 * 0.1 * (2 - 0.5) to the weight.
    assert looked(torch.ones(1, 1)).item() == pytest.approx(0.3 + 0.45)
    assert judge.weight.item() == pytest.approx(0.3)
    (slope,) = torch.autograd.grad(looked(torch.ones(1, 1)).sum(), fake)
    assert slope.item() == pytest.approx(-0.3)  # it sees how its fakes move the discriminator


def test_packing_joins_neighbours_along_the_channels():
    packing = technique("packing", samples=2)
    assert packing.discriminator_shape((3, 28, 28)) == (6, 28, 28)
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 2, 2)
    packs = packing.view(images, "real", moment())
    assert packs.shape == (2, 6, 2, 2)
    assert packs[0, :, 0, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert packs[1, :, 0, 0].tolist() == [2, 2, 2, 3, 3, 3]


def test_weight_clipping_bounds_every_weight():
    judge = mlp.build(shape=[2], hidden=[8])
    before = {name: weight.clone() for name, weight in judge.named_parameters()}
    technique("weight_clipping", limit=0.1).after_discriminator(judge)
    for name, weight in judge.named_parameters():
        assert torch.equal(weight, before[name].clamp(-0.1, 0.1))


def test_the_auxiliary_classifier_pays_for_the_right_class():
    judge = mlp.build(shape=[2], hidden=[])
    helper = technique("auxiliary_classifier", setting(num_classes=3), weight=2.0)
    helper.alter_discriminator(judge)
    nn.init.zeros_(judge.classifier.weight)
    nn.init.zeros_(judge.classifier.bias)
    features = torch.zeros(4, 2)
    seen = turn(discriminator=judge, labels=torch.tensor([0, 1, 2, 0]), real_features=features, fake_features=features)
    # One that knows nothing has a cross entropy of log 3, on each side.
    assert helper.discriminator_loss(torch.tensor(1.0), seen).item() == pytest.approx(1 + 4 * math.log(3))
    assert helper.generator_loss(torch.tensor(1.0), seen).item() == pytest.approx(1 + 2 * math.log(3))
    nn.init.constant_(judge.classifier.bias[:1], 50.0)
    right = replace(seen, labels=torch.zeros(4, dtype=torch.int64))
    assert helper.generator_loss(torch.tensor(1.0), right).item() == pytest.approx(1, abs=1e-6)


def test_the_evidence_lower_bound_in_closed_form():
    maker = technique("variational_encoder", network="mlp", config={"hidden": []}, space="samples", prior_weight=0.5)
    maker.alter_discriminator(nn.Identity())
    (layer,) = (module for module in maker.encoder.modules() if isinstance(module, nn.Linear))
    nn.init.zeros_(layer.weight)
    layer.bias.data = torch.tensor([1.0, 2.0, 0.0, 0.0, 0.0, math.log(4.0)])  # three means, three log variances
    samples = torch.tensor([[3.0, 0.0]]).expand(4, 2)
    seen = turn(generator=lambda z: torch.zeros(4, 2), samples=samples)
    error = 9 / 2 / 2  # half the mean of 9 and 0
    divergence = ((1 + 0) + (4 + 0) + (4 - 1 - math.log(4))) / 2 / 3
    assert maker.generator_loss(torch.tensor(1.0), seen).item() == pytest.approx(1 + error + 0.5 * divergence, rel=1e-6)
    assert len(list(maker.generator_parameters())) == 2


def test_what_the_encoder_compares_is_seen_as_the_discriminator_sees_fakes():
    def judge(samples, with_features):
        return samples.sum(1), samples

    maker = technique("variational_encoder", network="mlp", config={"hidden": []}, prior_weight=1e-9)
    maker.alter_discriminator(nn.Identity())
    seen = turn(generator=lambda z: torch.zeros(4, 2), judge=judge, real_features=torch.ones(4, 2))
    assert maker.generator_loss(torch.tensor(0.0), seen).item() == pytest.approx(0.5)
    noised = replace(seen, view=lambda samples: samples + 1)  # as the real features are of noised samples
    assert maker.generator_loss(torch.tensor(0.0), noised).item() == pytest.approx(0, abs=1e-6)


def test_the_wrong_sign():
    assert technique("wrong_sign").generator_loss(torch.tensor(2.0), turn()) == -2


@pytest.mark.parametrize(
    ("name", "config", "about", "told"),
    [
        ("label_smoothing", {"target": 1.5}, {}, "target is 1.5, expected a number above 0 and at most 1"),
        ("label_smoothing", {}, {"loss": "hinge"}, "needs a loss with a target"),
        ("packing", {"samples": 3}, {}, "samples is 3, which does not divide the batch of 4"),
        ("packing", {"samples": 1}, {}, "expected a whole number of at least 2"),
        ("packing", {}, {"num_classes": 3}, "does not go with labels"),
        ("experience_replay", {}, {"num_classes": 3}, "does not go with labels"),
        ("experience_replay", {"size": 2}, {}, "size is 2, less than a batch of 4"),
        ("auxiliary_classifier", {}, {}, "needs labels: set generator.conditional = true"),
        ("minibatch_standard_deviation", {"group": 3}, {}, "group is 3, which does not divide"),
        ("variational_encoder", {"space": "pixels"}, {}, "space is 'pixels', expected features or samples"),
        ("variational_encoder", {}, {"latent": Latent(3, "uniform")}, "needs normal noise"),
        ("weight_clipping", {"limit": 0}, {}, "limit is 0, expected a number above 0"),
        ("unrolling", {"updates": 2.5}, {}, "updates is 2.5"),
        ("historical_averaging", {"weight": float("inf")}, {}, "weight is inf"),
    ],
)
def test_what_makes_no_sense_is_told(name, config, about, told):
    with pytest.raises(UsageError, match=told) as caught:
        technique(name, setting(**about), **config)
    assert "\n" not in str(caught.value)


def test_unknown_techniques_and_keys_are_told_with_the_nearest(recipe):
    with pytest.raises(UnknownNameError, match="unknown technique 'paking', did you mean 'packing'"):
        make_techniques(replace(recipe, techniques=(Choice("paking", {}),)), setting())
    with pytest.raises(UnknownNameError, match="key of technique packing: 'sample', did you mean 'samples'"):
        make_techniques(replace(recipe, techniques=(Choice("packing", {"sample": 2}),)), setting())


def test_every_technique_has_a_line_and_documented_arguments():
    import inspect

    summaries = catalogue.summaries("techniques")
    assert set(summaries) == set(NAMES)
    for name in NAMES:
        assert summaries[name].endswith(".") or len(summaries[name]) > 20
        kind = catalogue.part("techniques", "technique", name).TECHNIQUE
        for argument in inspect.signature(kind).parameters:
            assert f"{argument}:" in (inspect.getdoc(kind) or "")
