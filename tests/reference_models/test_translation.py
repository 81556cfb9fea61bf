from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_runs import Pictures, quiet, stop_at

import gandiag
from gandiag import InputError, TrainingRequest, UnknownNameError, UsageError, load_checkpoint
from reference_models.networks.resampling import bicubic, shrunk
from reference_models.recipe import load_recipe
from reference_models.tasks._domains import DOMAINS
from reference_models.tasks._similarity import Perception, perceptual_distance, psnr, ssim
from reference_models.tasks._task import Side
from reference_models.tasks.super_resolution import SuperResolution
from reference_models.tasks.unpaired import Unpaired
from reference_models.trainer import TRAINER
from reference_models.training.image_folders import open_folders

CPU = torch.device("cpu")
SMALL = {
    "srgan": ("batch_size=8", "samples=40", "generator.config={width=4,blocks=1}", "discriminator.config={width=4}"),
    "cyclegan": ("batch_size=8", "samples=40", "generator.config={width=2,blocks=1}", "discriminator.config={width=2}"),
}


def request(out: Path, recipe: str, *overrides: str, **changes) -> TrainingRequest:
    settings = {"steps": 5, "evaluate_samples": 20} | changes
    return TrainingRequest(recipe=recipe, out=out, overrides=(*SMALL[recipe], *overrides), **settings)


def images(count: int = 3, channels: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, channels, 28, 28, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = torch.load(folder / "state.pt", weights_only=True)
    parts = {name: state[name] for name in ("generator", "discriminator", "generator_ema")}
    return {f"{name}.{key}": value for name, part in parts.items() for key, value in part.items()}


def test_psnr_by_hand():
    target = torch.zeros(2, 1, 4, 4)
    image = torch.stack([torch.full((1, 4, 4), 0.2), torch.zeros(1, 4, 4)])
    # Of a range of 2 an error of 0.2 is a tenth: 20 dB. Equal images are at the bound.
    assert psnr(image, target).tolist() == pytest.approx([20.0, 100.0])


def test_ssim_by_hand():
    one, other = torch.full((1, 1, 16, 16), 0.5), torch.full((1, 1, 16, 16), -0.25)
    # Constant images: the variances are 0, and what is left is (2 a b + c) / (a^2 + b^2 + c).
    small = 0.02**2
    # From black, which is -1, they are 1.5 and 0.75.
    expected = (2 * 1.5 * 0.75 + small) / (2.25 + 0.5625 + small)
    assert float(ssim(one, other)) == pytest.approx(expected, rel=1e-4)
    assert float(ssim(images()[:1], images()[:1])) == pytest.approx(1, abs=1e-5)


def test_ssim_is_that_of_a_direct_sum():
    one, other = images(1, seed=1)[0, 0].double().numpy(), images(1, seed=2)[0, 0].double().numpy()
    places = np.arange(11) - 5
    window = np.exp(-(places[:, None] ** 2 + places[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    found = []
    for top in range(18):
        for left in range(18):
            a, b = one[top : top + 11, left : left + 11] + 1, other[top : top + 11, left : left + 11] + 1
            ma, mb = (window * a).sum(), (window * b).sum()
            va, vb = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum()
            cov = (window * (a - ma) * (b - mb)).sum()
            c1, c2 = 0.02**2, 0.06**2
            found.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    assert float(ssim(images(1, seed=1), images(1, seed=2))) == pytest.approx(np.mean(found), abs=1e-4)


def test_psnr_and_ssim_are_those_of_the_metrics():
    targets = gandiag.load_dataset("mnist", split="test").read(0, 100)
    coarse = bicubic(shrunk(targets.float() / 127.5 - 1, 4), 4).clamp(-1, 1)
    made = ((coarse + 1) * 127.5).round().to(torch.uint8)
    found = gandiag.score(made, "psnr,ssim", targets=targets).scores
    images, wanted = made.float() / 127.5 - 1, targets.float() / 127.5 - 1
    assert float(ssim(images, wanted).mean()) == pytest.approx(found["ssim"].value, rel=1e-4)
    assert float(psnr(images, wanted).mean()) == pytest.approx(found["psnr"].value, rel=1e-4)


def test_perceptual_distance_by_hand():
    one, other = torch.tensor([[[[3.0]], [[4.0]]]]), torch.tensor([[[[4.0]], [[3.0]]]])
    # Unit vectors (0.6, 0.8) and (0.8, 0.6): squared difference 0.08, on each of two layers.
    assert float(perceptual_distance([one, one], [other, other], 1)) == pytest.approx(0.16)
    assert float(perceptual_distance([one], [5 * one], 1)) == pytest.approx(0, abs=1e-6)


def test_features_of_digits_are_those_of_the_extractor_and_have_a_gradient():
    perception = Perception("digits", CPU)
    data = gandiag.load_dataset("mnist", split="test")
    shown = data.read(0, 50)
    extracted = gandiag.open_extractor("digits", gandiag.ExtractorOptions())(shown)
    floats = (shown.float() / 127.5 - 1).requires_grad_()
    assert torch.equal(perception.classes(floats)[:, 0], extracted.logits[:, 0].argmax(1))
    maps = perception.maps(floats)
    assert [tuple(each.shape[1:]) for each in maps] == [(32, 14, 14), (64, 7, 7)]
    maps[-1].sum().backward()
    assert float(floats.grad.abs().max()) > 0


@pytest.mark.parametrize("name", DOMAINS)
def test_the_map_of_a_domain_is_undone_by_its_inverse(name):
    domain, grey = DOMAINS[name], images()
    there = domain.there(domain.plain(grey))
    assert there.shape[1] == domain.channels
    assert float(there.abs().max()) <= 1
    assert torch.allclose(domain.back(there), grey, atol=1e-5)


def test_the_cycle_loss_is_zero_for_inverse_maps_and_what_it_says_else():
    task = Unpaired("inverted", cycle_weight=10.0, identity_weight=5.0)
    task.begin(Pictures(8), CPU)
    sides = task.sides({"source": images(seed=1), "target": images(seed=2)})
    assert torch.equal(sides["there"].real, -images(seed=2))
    assert torch.equal(sides["back"].input, -images(seed=2))

    def loss(**generators):
        made = {name: generators[name](side.input) for name, side in sides.items()}
        return float(task.losses(generators, sides, made))

    # Inverting twice is no change; what is inverted already is inverted again: an error of twice the mean value.
    change = 2 * float(images(seed=1).abs().mean() + images(seed=2).abs().mean())
    assert loss(there=torch.neg, back=torch.neg) == pytest.approx(5 * change, rel=1e-5)
    assert loss(there=lambda x: x, back=lambda x: x) == pytest.approx(0)
    lost = float(images(seed=1).abs().mean() + images(seed=2).abs().mean())
    assert loss(there=lambda x: 0 * x, back=lambda x: x) == pytest.approx(
        10 * lost + 5 * float(images(seed=2).abs().mean()), rel=1e-5
    )


def test_scores_of_a_perfect_and_of_a_lazy_translation():
    task, data = Unpaired("inverted"), gandiag.load_dataset("mnist", split="test")
    task.begin(data, CPU)
    perfect = task.scores({"there": torch.neg, "back": torch.neg}, data, 200)
    assert perfect["cycle_error"].value == perfect["cycle_error_back"].value == perfect["target_error"].value == 0
    assert perfect["label_kept"].value > 0.97  # as good as the classifier
    lazy = task.scores({"there": lambda x: x, "back": lambda x: x}, data, 200)
    assert lazy["cycle_error"].value == 0
    assert lazy["target_error"].value > 0.8  # nearly all of a digit is black
    assert lazy["label_kept"].value < 0.5


def test_bicubic_interpolation_scores_as_bicubic_interpolation():
    task, data = SuperResolution(scale=2), gandiag.load_dataset("mnist", split="test")
    task.begin(data, CPU)

    def interpolate(inputs):
        return torch.nn.functional.interpolate(inputs, scale_factor=2, mode="bicubic", align_corners=False)

    found = task.scores({"there": interpolate}, data, 150)
    for name in ("psnr", "ssim", "perceptual_distance"):
        assert found[name].value == pytest.approx(found[f"{name}_bicubic"].value)
    side = task.sides({"images": images()})["there"]
    assert side.input.shape == (3, 1, 14, 14)
    assert torch.equal(side.real, images())
    perfect = task.losses({}, {"there": Side(side.input, side.real)}, {"there": side.real})
    assert float(perfect) == pytest.approx(0, abs=1e-6)


def test_a_network_of_super_resolution_begins_as_bicubic_interpolation():
    from reference_models.networks.generators import srresnet

    small = images()[:, :, ::4, ::4]
    network = srresnet.build(input_shape=[1, 7, 7], scale=4, width=4, blocks=1).eval()
    assert torch.allclose(network(small), bicubic(small, 4).clamp(-1, 1), atol=1e-6)
    whole = srresnet.build(input_shape=[3, 8, 8], scale=2, width=4, blocks=1, norm="batch", interpolated=False)
    assert whole(torch.zeros(2, 3, 8, 8)).shape == (2, 3, 16, 16)


@pytest.mark.parametrize("recipe", SMALL)
@pytest.mark.parametrize("stop", [1, 3])
def test_an_interrupted_run_ends_where_the_whole_run_does(tmp_path, recipe, stop):
    # A pool of 8 images is full after the first step, so that the steps after it draw from it.
    pool = ("techniques.experience_replay.size=8",) if recipe == "cyclegan" else ()
    TRAINER.train(request(tmp_path / "whole", recipe, *pool), quiet)
    with pytest.raises(KeyboardInterrupt):
        TRAINER.train(request(tmp_path / "parts", recipe, *pool), stop_at(stop))
    TRAINER.train(request(tmp_path / "parts", recipe, *pool, resume=True), quiet)
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[key]) for key, value in one.items())
    assert (tmp_path / "whole" / "scores.json").read_text() == (tmp_path / "parts" / "scores.json").read_text()


def test_a_dataset_without_end_has_two_domains_too():
    task, data = Unpaired("inverted"), gandiag.load_dataset("stacked-mnist")
    task.begin(data, CPU)
    streams = task.streams(data)
    assert {name: each.read(0, 4).shape for name, each in streams.items()} == dict.fromkeys(streams, (4, 3, 28, 28))
    assert not torch.equal(streams["source"].read(0, 4), streams["target"].read(0, 4))
    assert torch.equal(streams["target"].read(0, 4)[1:], streams["target"].read(1, 4))


def test_what_is_watched_and_scored_besides_changes_nothing(tmp_path):
    TRAINER.train(request(tmp_path / "plain", "cyclegan"), quiet)
    busy = request(tmp_path / "busy", "cyclegan", monitor=True, evaluate_every=2, tensorboard=True)
    TRAINER.train(busy, quiet)
    one, other = weights(tmp_path / "plain"), weights(tmp_path / "busy")
    assert all(torch.equal(value, other[key]) for key, value in one.items())
    lines = (tmp_path / "busy" / "evaluations.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    assert [line["step"] for line in found] == [2, 4, 5]
    best = min(found, key=lambda line: (line["scores"]["cycle_error"], line["step"]))
    assert load_checkpoint(tmp_path / "busy" / "best.pt").step == best["step"]


@pytest.mark.parametrize(
    ("recipe", "overrides", "given", "made"),
    [
        ("srgan", (), (1, 7, 7), (1, 28, 28)),
        ("srgan", ("task.scale=2",), (1, 14, 14), (1, 28, 28)),
        ("cyclegan", (), (1, 28, 28), (1, 28, 28)),
        ("cyclegan", ("task.domain=coloured",), (3, 28, 28), (3, 28, 28)),
    ],
)
def test_a_run_leaves_checkpoints_scores_and_pictures(tmp_path, recipe, overrides, given, made):
    path = TRAINER.train(request(tmp_path / "run", recipe, *overrides, steps=2), quiet)
    found = load_checkpoint(path)
    assert found.latent is None
    assert (found.input.shape, found.image.shape) == (given, made)
    document = json.loads((tmp_path / "run" / "scores.json").read_text(encoding="utf-8"))
    assert document["held_out"] is True
    expected = {"psnr", "ssim_bicubic"} if recipe == "srgan" else {"cycle_error", "label_kept"}
    assert expected <= document["scores"].keys() == document["better"].keys()
    with Image.open(tmp_path / "run" / "samples" / "step-000002.png") as picture:
        assert picture.size == (12 * 30 + 2, (4 if recipe == "srgan" else 8) * 30 + 2)
    assert (tmp_path / "run" / "checkpoint-back.pt").exists() == (recipe == "cyclegan")


def test_two_folders_are_two_domains(tmp_path):
    data = tmp_path / "data"
    for name, colour in (("horses", (200, 10, 10)), ("zebras", (10, 200, 10))):
        (data / name).mkdir(parents=True)
        for index in range(9 if name == "horses" else 11):
            Image.new("RGB", (40 + index, 60), colour).save(data / name / f"{index}.png")
    changes = {"dataset": "folders", "data_root": data, "steps": 2, "evaluate_samples": 5}
    path = TRAINER.train(request(tmp_path / "run", "cyclegan", "task.size=16", "samples=0", **changes), quiet)
    found = load_checkpoint(path)
    assert (found.input.shape, found.dataset) == ((3, 16, 16), "folders")
    document = json.loads((tmp_path / "run" / "scores.json").read_text(encoding="utf-8"))
    assert document["scores"].keys() == {"cycle_error", "cycle_error_back"}
    assert document["held_out"] is False
    opened = open_folders(data, 16)
    assert (opened.source.read(0, 99).shape, opened.target.read(0, 99).shape) == ((9, 3, 16, 16), (11, 3, 16, 16))
    assert opened.target.read(0, 1)[0, :, 3, 3].tolist() == [10, 200, 10]
    (data / "more").mkdir()
    with pytest.raises(UsageError, match=r"holds .*, .*, .* to train on"):
        open_folders(data, 16)
    (data / "more" / "bad.png").write_bytes(b"no image")
    (data / "trainA").mkdir()
    (data / "more").rename(data / "trainB")
    with pytest.raises(InputError, match="trainA holds no images"):
        open_folders(data, 16)
    with pytest.raises(UsageError, match="needs --data-root"):
        open_folders(None, 16)


def test_folders_that_are_held_out_are_not_trained_on(tmp_path):
    for name in ("testA", "testB"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (16, 16)).save(tmp_path / name / "one.png")
    with pytest.raises(UsageError, match="holds no folders to train on; expected trainA and trainB"):
        open_folders(tmp_path, 16)
    assert open_folders(tmp_path, 16, "test").info.size == 1


def test_grey_images_of_sixteen_bits_keep_their_shades(tmp_path):
    shades = np.repeat(np.array([[0, 257 * 40, 257 * 128, 65535]], dtype=np.uint16), 4, axis=0)
    for name in ("trainA", "trainB"):
        (tmp_path / name).mkdir()
        Image.fromarray(shades).save(tmp_path / name / "one.png")
    assert open_folders(tmp_path, 4).read(0, 1)[0, 2, 0].tolist() == [0, 40, 128, 255]


def test_a_damaged_chunk_of_a_picture_is_told(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    for name in ("trainA", "trainB"):
        (tmp_path / name).mkdir()
        Image.fromarray(noise).save(tmp_path / name / "one.png")
    file = tmp_path / "trainA" / "one.png"
    start, first, rest = file.read_bytes().partition(b"IDAT")
    file.write_bytes(start + first + rest.replace(b"IDAT", b"\x00\x01\x02\x03", 1))  # the name of the second one
    with pytest.raises(InputError, match=r"one\.png cannot be read as an image: .*; mend it or take it out"):
        open_folders(tmp_path, 8)


@pytest.mark.parametrize(
    ("recipe", "overrides", "changes", "told"),
    [
        ("srgan", ("task.scale=3",), {}, "scale is 3, expected one of 2, 4"),
        ("srgan", ("task.scale=2.0",), {}, "scale is 2.0, expected one of 2, 4"),
        ("srgan", ("task.perceptual_weights=5",), {}, "perceptual_weights is 5, expected a text"),
        ("srgan", (f"task.content_weight={10**400}",), {}, "expected a number of at least 0"),
        ("cyclegan", ("task.size=32.0",), {}, "size is 32.0, expected a multiple of 4 from 8 to 1024"),
        ("cyclegan", ("task.size=30",), {}, "size is 30, expected a multiple of 4 from 8 to 1024"),
        ("cyclegan", ("generator.network=srresnet", "generator.config={}"), {}, "srresnet generator needs scale"),
        ("srgan", ("task.perceptual=inception",), {}, "perceptual is 'inception'"),
        ("srgan", ("task.sclae=2",), {}, "did you mean 'scale'"),
        ("srgan", ("task.name=paired",), {}, "unknown task 'paired'"),
        ("srgan", ("latent.dim=3",), {}, "latent is for generators of noise"),
        ("srgan", ("generator.network=dcgan", "generator.config={}"), {}, "dcgan generator is of no use"),
        ("srgan", ("generator.network=resnet", "generator.config={}"), {}, "resnet generator is of no use"),
        ("srgan", ("techniques.unrolling={}",), {}, "technique unrolling is for generators of noise"),
        ("srgan", ("techniques.feature_matching={}",), {}, "technique feature_matching is for"),
        ("srgan", (), {"dataset": "ring8"}, "has points"),
        ("srgan", (), {"dataset": "folders"}, "does not learn from two folders"),
        ("srgan", (), {"fault": "simultaneous"}, "simultaneous is for generators of noise"),
        ("cyclegan", ("task.domain=sepia",), {}, "domain is 'sepia', expected one of inverted, coloured"),
        ("cyclegan", ("task.cycle_weight=-1",), {}, "cycle_weight is -1"),
        ("cyclegan", (), {"dataset": "folders"}, "needs --data-root"),
    ],
)
def test_what_makes_no_sense_is_told_and_leaves_nothing(tmp_path, recipe, overrides, changes, told):
    with pytest.raises((UsageError, UnknownNameError), match=told) as caught:
        TRAINER.train(request(tmp_path / "run", recipe, *overrides, **changes), quiet)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_generator_of_images_does_not_fit_a_recipe_of_noise(tmp_path):
    asked = TrainingRequest(
        recipe="dcgan", out=tmp_path / "run", overrides=("generator.network=resnet", "generator.config={}")
    )
    with pytest.raises(UsageError, match="takes images, not noise"):
        TRAINER.train(asked, quiet)


def test_a_plan_says_the_task(tmp_path):
    plan = TRAINER.plan(request(tmp_path / "run", "srgan"))
    assert "scale 4" in plan["task"]
    assert "latent" not in plan
    assert "ms a step" in plan["time"]
    assert not (tmp_path / "run").exists()


def test_an_image_to_image_recipe_needs_no_latent_and_others_do(tmp_path):
    assert load_recipe("srgan").latent is None
    with pytest.raises(UsageError, match="srgan has no latent"):
        _ = load_recipe("srgan").prior
    assert replace(load_recipe("dcgan"), task=None).prior.dim == 60


def test_a_checkpoint_of_images_is_scored_with_inputs_only(tmp_path):
    path = TRAINER.train(request(tmp_path / "run", "srgan", steps=2), quiet)
    with pytest.raises(UsageError, match="--inputs"):
        gandiag.score(path, ["fid"], samples=32)


def test_the_command_prints_the_scores_and_then_the_path(tmp_path):
    from click.testing import CliRunner

    from gandiag.cli.train import train_command

    out = tmp_path / "run"
    sets = [part for override in SMALL["srgan"] for part in ("--set", override)]
    options = ["srgan", "--out", str(out), "--steps", "1", "--eval-samples", "10", "--no-monitor", *sets]
    done = CliRunner().invoke(train_command, [*options, "--device", "cpu"])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(out / "checkpoint.pt")
    found = json.loads((out / "scores.json").read_text(encoding="utf-8"))["scores"]
    assert all(f"{name} " in done.stderr and f"{value:.4g}" in done.stderr for name, value in found.items())
