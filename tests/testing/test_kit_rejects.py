"""A check that cannot fail checks nothing: each broken thing must be told."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError, UsageError
from gandiag.core.modes import MixtureModes
from gandiag.core.protocols import Extracted, ExtractorInfo, SourceInfo
from gandiag.core.score import measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.testing import check_dataset, check_extractor, check_metric, check_source


def good_metric(*, real, fake, rng):
    """The distance of the means."""
    sides = {"better": "lower", "n_real": len(real), "n_fake": len(fake)}
    if real.features.shape[1] != fake.features.shape[1]:
        raise InputError("two widths")
    if min(len(real), len(fake)) < 2:
        return {"gap": undefined("too few", **sides)}
    gap = real.features.double().mean(0) - fake.features.double().mean(0)
    return {"gap": measured(float(gap.norm()), stderr=0.1, error_method="made up", **sides)}


def declared(function, **changes):
    fields = {"scores": {"gap": "lower"}, "heads": frozenset({"features"}), "minimum_samples": 2}
    return Metric(compute=function, **(fields | changes))


def with_score(**changes):
    def function(*, real, fake, rng):
        scores = good_metric(real=real, fake=fake, rng=rng)
        kept = {name: value for name, value in changes.items() if scores["gap"].status == "ok" or name == "better"}
        return {"gap": dataclasses.replace(scores["gap"], **kept)}

    return function


def first_half(*, real, fake, rng):
    return good_metric(real=real.first(max(1, len(real) // 2)), fake=fake.first(max(1, len(fake) // 2)), rng=rng) | {}


def half_but_says_all(*, real, fake, rng):
    scores = first_half(real=real, fake=fake, rng=rng)
    if real.features.shape[1] != fake.features.shape[1]:
        raise InputError("two widths")
    return {"gap": dataclasses.replace(scores["gap"], n_real=len(real), n_fake=len(fake))}


def secretly_random(*, real, fake, rng):
    score = good_metric(real=real, fake=fake, rng=rng)["gap"]
    noise = next(COUNTER)
    return {"gap": score if score.value is None else dataclasses.replace(score, value=score.value + noise)}


def mutating(*, real, fake, rng):
    scores = good_metric(real=real, fake=fake, rng=rng)
    fake.features.mul_(1.0 if len(fake) < 2 else 1 + 1e-3)
    return {"gap": dataclasses.replace(scores["gap"], value=None if scores["gap"].value is None else 1.0)}


def fails_on_constants(*, real, fake, rng):
    if len(fake) > 1 and float(fake.features.double().std()) == 0:
        raise ZeroDivisionError("no spread")
    return good_metric(real=real, fake=fake, rng=rng)


def guesses_for_one(*, real, fake, rng):
    score = good_metric(real=real, fake=fake, rng=rng)["gap"]
    sure = {"value": 0.0, "status": "ok", "stderr": 0.0, "ci95": (0.0, 0.0), "error_method": "made up"}
    return {"gap": score if score.value is not None else dataclasses.replace(score, **sure)}


def takes_two_widths(*, real, fake, rng):
    width = min(real.features.shape[1], fake.features.shape[1])
    narrow = [dataclasses.replace(bank, features=bank.features[:, :width]) for bank in (real, fake)]
    return good_metric(real=narrow[0], fake=narrow[1], rng=rng)


COUNTER = itertools.count()


def test_a_good_metric_passes():
    check_metric(declared(good_metric))


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (declared(good_metric, scores={"gap": "lower", "more": "lower"}), "declares"),
        (declared(good_metric, scores={}), "declares no scores"),
        (declared(good_metric, scores={"gap": "higher"}), "lower is better, the metric higher"),
        (declared(good_metric, heads=frozenset({"logits"})), "raise AttributeError"),
        (declared(good_metric, minimum_samples=1), "so many give no value|0 samples"),
        (declared(lambda **_: {"gap": 3.0}), "float, expected a Score"),
        (declared(with_score(stderr=None, error_method=None)), "no error bar"),
        (declared(with_score(error_method=None)), "without a method"),
        (declared(with_score(stderr=-1.0)), "negative standard error"),
        (declared(with_score(ci95=None)), "no interval"),
        (declared(with_score(details={"t": torch.ones(2)})), "JSON"),
        (declared(with_score(details={"t": float("nan")})), "JSON"),
        (declared(with_score(n_fake=3)), "n_fake 3"),
        (declared(half_but_says_all), "moves by"),
        (declared(secretly_random), "two answers"),
        (declared(mutating), "changes the banks"),
        (declared(fails_on_constants), "constant samples make it raise ZeroDivisionError"),
        (declared(guesses_for_one), "minimum_samples is 2"),
        (declared(takes_two_widths), "two widths are accepted"),
    ],
)
def test_a_broken_metric_is_rejected(metric, message):
    with pytest.raises(AssertionError, match=message):
        check_metric(metric)


class Flat:
    """A good extractor with 2 features and logits for two channels."""

    def __init__(self, options, **info):
        fields = {"name": "flat", "sha256": "a", "preprocessing": "none", "heads": frozenset({"features", "logits"})}
        self.info = ExtractorInfo(**(fields | {"per_channel": True} | info))
        if options.weights is not None and not options.weights.exists():
            raise InputError("no such weights")

    def __call__(self, samples):
        values = samples.float().flatten(2)
        features = torch.stack([values.mean(2), values.amax(2)], dim=2).flatten(1)
        return Extracted(features, torch.stack([values.mean(2), values.amin(2)], dim=2))


def broken(call=None, **info):
    class Broken(Flat):
        def __init__(self, options):
            super().__init__(options, **info)

        def __call__(self, samples):
            found = super().__call__(samples)
            return found if call is None else call(found, samples)

    return Broken


SAMPLES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (8, 2, 3, 3), dtype=np.uint8))


def in_place(found, samples):
    samples[0] = 0
    return found


def test_a_good_extractor_passes(tmp_path):
    check_extractor(Flat, SAMPLES)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (broken(lambda found, _: Extracted(found.features[:-1], found.logits)), "features are"),
        (broken(lambda found, _: Extracted(found.features.double(), found.logits)), "float64"),
        (broken(lambda found, _: Extracted(found.features)), "declare"),
        (broken(lambda found, _: Extracted(found.features, found.logits.flatten(1))), "logits are"),
        (broken(lambda found, _: Extracted(found.features / 0, found.logits)), "NaN"),
        (broken(lambda found, s: Extracted(found.features - found.features.mean(0), found.logits)), "batches of 1"),
        (broken(lambda found, s: Extracted(found.features + len(s), found.logits)), "batches of 1"),
        (broken(lambda found, _: Extracted(found.features + torch.rand(1), found.logits)), "two answers"),
        (broken(lambda found, _: Extracted(found.features.cumsum(1), found.logits)), "per_channel"),
        (broken(in_place), "changes the samples"),
        (broken(heads=frozenset()), "heads"),
        (broken(name=""), "lacks a name"),
        (lambda options: Flat(dataclasses.replace(options, weights=None)), "does not exist"),
    ],
)
def test_a_broken_extractor_is_rejected(factory, message):
    with pytest.raises(AssertionError, match=message):
        check_extractor(factory, SAMPLES.clone())


def test_an_identity_that_ignores_the_weights_is_rejected(tmp_path):
    (tmp_path / "w").write_bytes(b"other")
    with pytest.raises(AssertionError, match="same sha256"):
        check_extractor(Flat, SAMPLES, other_weights=tmp_path / "w")


class Points:
    """A good endless dataset of points with two modes."""

    extractor = "pixels"
    samples = 100

    def __init__(self, options=None, **changes):
        self.seed = 0 if options is None else options.seed
        if options is not None and options.split != "train":
            raise UsageError("no such split")
        fields = {"kind": "dataset", "shape": (2,), "quantisation": "none", "sha256": f"s{self.seed}", "dataset": "p"}
        self.info = SourceInfo(name="p", **(fields | changes))
        self.modes = MixtureModes(np.array([[0.0, 0], [1, 1]]), 0.1)

    def read(self, start, stop):
        index = torch.arange(start, stop).float()
        return torch.stack([(index + self.seed).sin(), index.cos()], dim=1)

    def labels(self, start, stop):
        return torch.arange(start, stop) % 2


def points(read=None, labels=None, info=None, **attributes):
    class Broken(Points):
        def __init__(self, options=None):
            super().__init__(options, **({} if info is None else info()))
            for name, value in attributes.items():
                setattr(self, name, value)

    if read is not None:
        Broken.read = read
    if labels is not None:
        Broken.labels = labels
    return Broken


def test_a_good_dataset_passes():
    check_dataset(Points)
    check_source(Points)


BROKEN_SOURCES = [
    (points(read=lambda self, a, b: torch.rand(b - a, 2)), "differ from those of one long read"),
    (points(read=lambda self, a, b: Points.read(self, 0, b - a)), "differ from those of one long read"),
    (points(read=lambda self, a, b: Points.read(self, a, b).double()), "float64"),
    (points(read=lambda self, a, b: Points.read(self, a, b)[:, :1]), "gives"),
    (points(read=lambda self, a, b: torch.ones(b - a, 2)), "all of its samples are the same"),
    (points(read=lambda self, a, b: Points.read(self, a, b) / 0), "NaN"),
    (points(info=lambda: {"sha256": str(next(COUNTER))}), "two infos"),
    (points(info=lambda: {"quantisation": "uint8"}), "does not fit"),
    (points(info=lambda: {"kind": "rumour"}), "kind"),
]


@pytest.mark.parametrize(("opener", "message"), BROKEN_SOURCES)
def test_a_broken_source_is_rejected(opener, message):
    with pytest.raises(AssertionError, match=message):
        check_source(opener)
    with pytest.raises(AssertionError, match=message):
        check_dataset(opener)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (points(labels=lambda self, a, b: torch.arange(b - a + 1) % 2), "labels are"),
        (points(labels=lambda self, a, b: torch.zeros(b - a)), "float32, expected int64"),
        (points(labels=lambda self, a, b: torch.arange(a, b) % 3), "of 2 classes"),
        (points(labels=lambda self, a, b: torch.arange(b - a) % 2), "labels .* differ"),
        (points(modes=MixtureModes(np.zeros((2, 2)), 0.1)), "share a name"),
        (points(samples=0), "takes no samples"),
        (points(extractor=""), "names no extractor"),
        (points(info=lambda: {"sha256": None}), "no sha256"),
        (points(info=lambda: {"sha256": "fixed"}), "another seed has the same sha256"),
        (points(read=lambda self, a, b: Points.read(Points(), a, b)), "another seed draws the same"),
        (lambda options: Points(dataclasses.replace(options, split="train")), "no UsageError"),
    ],
)
def test_a_broken_dataset_is_rejected(factory, message):
    with pytest.raises(AssertionError, match=message):
        check_dataset(factory)
