from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import gandiag
from gandiag import Conditioning, GeneratorOptions, ImageSpec, InputError, Latent, UsageError
from gandiag.evaluation.resolve import _placed
from gandiag.evaluation.scorer import Scorer, Settings
from gandiag.statistics.feature_bank import features_of, logits_of


def ring(batch_size: int = 512, **changes: object) -> gandiag.Result:
    generator = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Tanh(), torch.nn.Linear(32, 2))
    with torch.no_grad():
        for index, value in enumerate(generator.parameters()):
            value.copy_(torch.randn(value.shape, generator=torch.Generator().manual_seed(index)))
    options = {"against": "ring8", "latent": Latent(2), "image": ImageSpec((2,), None), "samples": 700, **changes}
    return gandiag.score(generator, ["fid", "pr", "modes"], batch_size=batch_size, **options)


def digits(batch_size: int, samples: int = 300) -> gandiag.Result:
    def generator(noise: torch.Tensor) -> torch.Tensor:
        grid = torch.linspace(-3, 3, 28)
        squares = (grid[None, :, None] - noise[:, :1, None]) ** 2 + (grid[None, None, :] - noise[:, 1:2, None]) ** 2
        return (2 * torch.exp(-squares) - 1)[:, None]

    options = {"latent": Latent(2), "image": ImageSpec((1, 28, 28))}
    return gandiag.score(
        generator, ["fid", "is", "pr"], against="mnist:test", samples=samples, batch_size=batch_size, **options
    )


def test_two_runs_agree_bit_for_bit():
    first, second = ring(), ring()
    assert first.scores == second.scores


def test_the_seed_changes_the_samples():
    assert ring(seed=1).scores["fid"].value != ring().scores["fid"].value


def test_the_batch_size_changes_nothing_that_matters():
    small, large = digits(7), digits(300)
    for name in ("fid", "is"):
        assert small[name].value == pytest.approx(large[name].value, rel=1e-5)
    for name in ("precision", "recall"):
        assert small[name].value == pytest.approx(large[name].value, abs=2 / 300)


def test_the_first_samples_of_a_longer_run_are_those_of_a_shorter_one(monkeypatch):
    from gandiag.evaluation import extract

    found = {}
    original = extract.extract

    def remember(source, tasks, samples, **options):
        found[samples] = original(source, tasks, samples, **options)
        return found[samples]

    monkeypatch.setattr("gandiag.evaluation.kept.extract", remember)
    ring(samples=300)
    ring(samples=700)
    assert torch.equal(features_of(found[300]["pixels"]), features_of(found[700]["pixels"])[:300])


def test_a_perfect_sampler_of_the_ring_is_found_to_be_one():
    dataset = gandiag.load_dataset("ring8", seed=5)
    result = gandiag.score(dataset.read(0, 2500), against="ring8")
    assert result["modes"].value == 8
    low, high = result["high_quality"].ci95
    assert low <= 1 - math.exp(-4.5) <= high
    for name in ("fid_infinity", "mode_kl_excess"):
        low, high = result[name].ci95
        assert low <= 0 <= high


def test_default_metrics_are_those_that_the_extractor_can_serve():
    assert "is" not in gandiag.score("ring8", samples=100).scores
    assert {"fid", "is", "precision", "modes"} <= set(gandiag.score("mnist:test", against="mnist:test").scores)


def test_the_same_samples_score_zero_and_the_result_says_so():
    result = gandiag.score("mnist:test", against="mnist:test", metrics="fid")
    assert result["fid"].value == pytest.approx(0, abs=1e-9)
    assert any("same samples" in warning for warning in result.warnings)


def test_stacked_digits_by_channel_are_what_they_are_by_image():
    from gandiag.core.protocols import ExtractorOptions
    from gandiag.evaluation.extract import Task, extract
    from gandiag.extractors import EXTRACTORS

    dataset = gandiag.load_dataset("stacked-mnist", split="test")
    task = Task(EXTRACTORS.load("digits")(ExtractorOptions()), {"features": 40, "logits": 40})
    gathered = extract(dataset, {"digits": task}, 40, batch_size=16)["digits"]
    direct = task.extractor(dataset.read(0, 40))
    torch.testing.assert_close(features_of(gathered), direct.features, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(logits_of(gathered), direct.logits, rtol=1e-5, atol=1e-5)


def test_a_collapsed_source_is_told_from_a_healthy_one():
    healthy = gandiag.load_dataset("stacked-mnist", seed=3).read(0, 1500)
    collapsed = healthy[torch.arange(1500) % 5]
    metrics = ["fid", "pr", "modes"]
    good, bad = (gandiag.score(images, metrics, against="stacked-mnist") for images in (healthy, collapsed))
    assert good["modes"].value > 700
    assert bad["modes"].value <= 5
    assert bad["mode_kl"].value >= math.log(1000 / 5)
    assert good["fid"].value < bad["fid"].value
    for name in ("recall", "coverage"):
        assert good[name].value > bad[name].value


def test_fingerprints_tell_protocols_apart():
    plain = ring()
    assert plain["fid"].fingerprint == ring(seed=1)["fid"].fingerprint
    assert plain["fid"].fingerprint != ring(samples=600)["fid"].fingerprint
    assert plain["fid"].fingerprint != ring(precision="bf16", device="cpu")["fid"].fingerprint
    assert plain["fid"].fingerprint != plain["fid_infinity"].fingerprint


def test_other_held_out_samples_are_another_protocol():
    draw = np.random.default_rng(0)
    fake, real, one, other = (draw.normal(size=(300, 2)) for _ in range(4))
    found = [gandiag.score(fake, ["fid", "fld"], against=real, held_out=each) for each in (one, other)]
    assert found[0]["fld"].fingerprint != found[1]["fld"].fingerprint
    assert found[0]["fid"].fingerprint == found[1]["fid"].fingerprint


def test_held_out_samples_are_read_once_for_all_sources():
    draw, read = np.random.default_rng(0), []
    options = {"against": draw.normal(size=(200, 2)), "held_out": draw.normal(size=(200, 2))}
    scorer = Scorer(Settings(["fld"], **options, progress=lambda part: read.append((part.task, part.done))))
    for _ in range(3):
        scorer.score(scorer.open(draw.normal(size=(200, 2))))
    assert read.count(("held-out samples", 0)) == 1
    assert read.count(("samples", 0)) == 3


def test_a_network_that_lives_on_another_device_is_copied_and_stays():
    network = torch.nn.Linear(2, 2)
    placed = _placed(network, "meta")
    assert placed.weight.device.type == "meta"
    assert network.weight.device.type == "cpu"
    assert _placed(network, "cpu") is network
    with pytest.raises(UsageError, match="Linear is on meta, and cannot be copied to cpu"):
        _placed(placed, "cpu")


def test_arrays_of_every_make_are_samples():
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    expected = gandiag.score(images, "kid", against=images[::-1].copy(), extractor="pixels", samples=50)["kid"].value
    turned = np.ascontiguousarray(images[..., ::-1])[..., ::-1]  # from BGR, with a stride below zero
    floats = (images / 255).astype(">f4")
    for same in (turned, floats, {"images": images, "labels": np.arange(60)}):
        found = gandiag.score(
            same, "kid", against=images[::-1], extractor="pixels", samples=np.int64(50), seed=np.int64(0)
        )
        assert found["kid"].value == expected


@pytest.mark.parametrize(
    "samples", [np.array(["a", "b"]), np.array([{}, {}]), {"pictures": np.zeros((2, 3, 4, 4))}, {}]
)
def test_what_holds_no_samples_is_refused(samples):
    with pytest.raises((InputError, UsageError), match=r"expected numbers|cannot be scored"):
        gandiag.score(samples, "fid", against="ring8")


@pytest.mark.parametrize("option", ["samples", "batch_size", "seed"])
def test_what_is_no_whole_number_is_refused(option):
    with pytest.raises(UsageError, match=rf"^{option} is '0\.5', expected a whole number"):
        gandiag.score("ring8", "fid", **{option: 0.5})


def test_the_result_survives_its_file(tmp_path):
    result = ring()
    result.save(tmp_path / "result.json")
    assert gandiag.Result.load(tmp_path / "result.json").to_json() == result.to_json()


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (torch.nn.Linear(2, 2), {}, "latent=Latent"),
        (object(), {}, "cannot be scored"),
        (torch.zeros(5), {}, "expected images"),
        (torch.full((4, 2), float("nan")), {}, "NaN"),
        (np.zeros((4, 3, 3, 8, 8)), {}, "expected images"),
        (torch.zeros(50, 2), {"against": "ring8"}, "the same"),
        (torch.rand(4, 1, 28, 28) * 255, {"against": "mnist"}, "floats from 0 to 1"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_line(source, options, message):
    with pytest.raises((InputError, UsageError), match=message) as caught:
        gandiag.score(source, "fid", **options)
    assert "\n" not in str(caught.value)


def test_a_torch_dataset_of_images_and_labels_is_scored():
    reference = gandiag.load_dataset("mnist", split="test")
    images = reference.read(0, 200)
    pairs = torch.utils.data.TensorDataset(images, reference.labels(0, 200))
    one, other = (gandiag.score(source, "fid", against="mnist:test") for source in (pairs, images))
    assert one["fid"].value == other["fid"].value


def test_progress_is_told_for_both_sides_and_the_metrics():
    seen = []
    ring(progress=seen.append)
    assert [(step.task, step.done, step.total) for step in seen if step.done == step.total] == [
        ("reference", 700, 700),
        ("samples", 700, 700),
        ("metrics", 3, 3),
    ]


@pytest.mark.filterwarnings("ignore:`?torch.jit")
def test_a_file_can_be_the_extractor_of_one_metric(tmp_path, monkeypatch):
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 5, bias=False))
    with torch.no_grad():
        module[1].weight.copy_(torch.randn(5, 784, generator=torch.Generator().manual_seed(0)) / 28)
    torch.jit.trace(module, torch.zeros(2, 1, 28, 28)).save(str(tmp_path / "mine.pt"))
    path = str(tmp_path / "mine.pt")
    result = gandiag.score("mnist:test", f"fid,kid@{path}", against="mnist:test", samples=200)
    assert result["fid"].extractor == "digits"
    assert result["kid@file:mine"].extractor == "file:mine"
    assert result.protocol["extractors"]["file:mine"]["sha256"]
    alone = gandiag.score("mnist:test", "kid", against="mnist:test", samples=200, extractor=path)
    assert alone["kid"].value == result["kid@file:mine"].value


def test_held_out_samples_that_no_metric_takes_are_told_and_those_that_cannot_be_read_refused(tmp_path):
    found = ring(held_out=torch.rand(50, 2))
    assert found.scores == ring().scores
    assert "--held-out does not apply: none of these metrics takes other real samples" in found.warnings
    with pytest.raises(InputError, match=r"none\.npy"):
        ring(held_out=tmp_path / "none.npy")


def test_what_is_said_of_a_network_in_memory_counts_or_is_refused():
    shared = {"latent": Latent(2), "image": ImageSpec((2,), None), "against": "ring8", "samples": 300}
    truncated = gandiag.score(lambda noise: noise, "fid", generator=GeneratorOptions(truncation=0.01), **shared)
    assert truncated["fid"].value > gandiag.score(lambda noise: noise, "fid", **shared)["fid"].value
    one_class = gandiag.score(
        lambda noise, labels: noise + 5 * labels[:, None],
        "fid",
        conditioning=Conditioning(3),
        generator=GeneratorOptions(labels="2"),
        **shared,
    )
    assert one_class["fid"].value == pytest.approx(2 * 10**2, rel=0.2)  # both coordinates are 10 off
    for options, told in (
        ({"classes": 3}, "--classes does not apply to <lambda>, a network in memory"),
        ({"labels": "2"}, "labels were given, and <lambda> takes none"),
    ):
        with pytest.raises(UsageError, match=told):
            gandiag.score(lambda noise: noise, "fid", generator=GeneratorOptions(**options), **shared)
