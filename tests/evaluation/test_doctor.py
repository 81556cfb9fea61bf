from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gandiag.core import weights
from gandiag.core.errors import MissingDataError
from gandiag.core.score import measured
from gandiag.evaluation import doctor, self_test, theory
from gandiag.evaluation.doctor import examine_data, examine_extras, examine_machine, examine_weights
from gandiag.evaluation.known_sets import CLASSES_LEFT, DISTINCT, NAMES, SAMPLES, known_sets
from gandiag.metrics import METRICS
from gandiag.metrics._metric import Metric
from gandiag.statistics.feature_bank import features_of, images_of


@pytest.fixture(scope="module")
def sets():
    return known_sets()


@pytest.fixture
def tested(monkeypatch, sets):
    """The finding of the self-test on one metric, which may be replaced."""
    monkeypatch.setattr(self_test, "known_sets", lambda advance: sets)
    monkeypatch.setattr(self_test, "BASICS", {})
    load = METRICS.load

    def run(name: str, metric: Metric | None = None):
        if metric is not None:
            monkeypatch.setattr(METRICS, "load", lambda asked: metric if asked == name else load(asked))
        (finding,) = self_test.self_test(metrics=[name])
        assert finding.name == name
        assert finding.topic == "self-test"
        assert "\n" not in finding.text
        return finding

    return run


def named(findings, name):
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def test_the_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("GANDIAG_CACHE", str(tmp_path / "not" / "there"))
    findings = examine_machine()
    assert {finding.state for finding in findings} <= {"ok", "note"}
    assert importlib.metadata.version("torch") in named(findings, "packages").text
    assert "fp32" in named(findings, "processor").text
    assert "empty" in named(findings, "cache").text
    assert not (tmp_path / "not").exists()


def test_entries_of_the_cache_are_counted_and_its_trouble_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("GANDIAG_CACHE", str(tmp_path))
    (tmp_path / "a.safetensors").write_bytes(bytes(2**20))
    (tmp_path / "other.txt").write_text("not an entry")
    assert "1 entries, 1.0 MiB" in named(examine_machine(), "cache").text
    monkeypatch.setattr(doctor, "LITTLE_SPACE", 2**70)
    little = named(examine_machine(), "cache")
    assert little.state == "note"
    assert "GANDIAG_CACHE" in little.remedy


def test_gpus_are_named_with_their_memory_and_a_broken_one_is_a_note(monkeypatch):
    about = SimpleNamespace(name="Large GPU", major=9, minor=0)

    def memory(index):
        if index == 1:
            raise RuntimeError("an illegal\naccess")
        return 3 * 2**30, 8 * 2**30

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: about)
    monkeypatch.setattr(torch.cuda, "mem_get_info", memory)
    one, other = doctor._gpus()
    assert (one.name, one.state) == ("cuda:0", "ok")
    assert "Large GPU, 3.0 GiB free of 8.0 GiB, capability 9.0" in one.text
    assert (other.name, other.state) == ("cuda:1", "note")
    assert "an illegal access" in other.text


def test_weights_are_here_missing_or_cut(monkeypatch, tmp_path):
    monkeypatch.setenv("GANDIAG_WEIGHTS", str(tmp_path))
    missing = named(examine_weights(), "inception")
    assert (missing.state, missing.remedy) == ("missing", "gandiag weights fetch inception")
    assert "96 MB" in missing.text
    assert {named(examine_weights(), name).state for name in ("digits", "pixels")} == {"ok"}
    weights.path_of("inception").write_bytes(b"half of it")
    cut = named(examine_weights(), "inception")
    assert (cut.state, cut.remedy) == ("failed", "gandiag weights fetch inception")
    with weights.path_of("inception").open("wb") as file:
        file.truncate(weights.PUBLISHED["inception"].size)
    assert named(examine_weights(), "inception").state == "ok"


def test_an_extractor_that_cannot_be_opened_is_named(monkeypatch):
    def broken(name, options):
        raise RuntimeError("no such layer\nand more")

    monkeypatch.setattr(doctor, "open_extractor", broken)
    found = named(examine_weights(), "digits")
    assert found.state == "failed"
    assert "no such layer and more" in found.text


def test_data_that_come_with_gandiag_and_data_that_do_not(tmp_path):
    findings = examine_data(None)
    assert named(findings, "mnist").text.startswith("8,000 images")
    assert named(findings, "ring8").state == "ok"
    assert named(findings, "cifar10").state == "missing"
    assert "--download" in named(findings, "cifar10").remedy
    rooted = examine_data(tmp_path)
    assert named(rooted, "mnist").state == "ok"
    assert named(rooted, "mnist, published").state == "missing"
    assert str(tmp_path) in named(rooted, "mnist, published").remedy
    assert named(rooted, "cifar10").state == "missing"
    assert "ring8, published" not in [finding.name for finding in rooted]
    assert list(tmp_path.iterdir()) == []


def test_a_published_set_that_is_there(monkeypatch, tmp_path):
    load = doctor.load_dataset

    def there(name, root=None):
        if name == "kmnist" and root is None:
            raise MissingDataError("give the folder")
        return load("mnist" if name == "kmnist" else name, root=None)

    monkeypatch.setattr(doctor, "load_dataset", there)
    assert named(examine_data(tmp_path), "kmnist").state == "ok"
    assert named(examine_data(None), "kmnist").state == "missing"


def test_extras_name_what_is_not_installed(monkeypatch):
    required = ["numpy>=1.26", 'torch>=2; extra == "fast"', "no-such-package>=2 ; extra == 'slow'"]
    required += ['gandiag[fast,slow]; extra == "dev"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: required)
    fast, slow = examine_extras()
    assert (fast.name, fast.state) == ("fast", "ok")
    assert (slow.name, slow.state, slow.remedy) == ("slow", "missing", "pip install 'gandiag[slow]'")


def test_the_known_sets_are_what_they_are_called(sets):
    real, fakes = sets.real, sets.fakes
    assert tuple(fakes) == NAMES
    assert all(len(bank) == SAMPLES for bank in (real, *fakes.values()))
    assert torch.equal(images_of(fakes["identical"]), images_of(real))
    rows = {name: {image.numpy().tobytes() for image in images_of(bank)} for name, bank in fakes.items()}
    assert not rows["fresh"] & rows["identical"]
    assert len(rows["collapsed"]) == DISTINCT
    assert set(fakes["collapsed"].labels.tolist()) == set(CLASSES_LEFT)
    assert not rows["copies"] & rows["identical"]
    difference = images_of(fakes["copies"])[::2].int() - images_of(real)[: SAMPLES // 2].int()
    assert int(difference.abs().max()) == 1
    assert sets.share_left == pytest.approx(0.32, abs=0.05)


def test_every_score_in_the_table_exists(sets):
    """A score that is not in it is tested by the direction that its metric declares."""
    table = theory.expectations(theory.Facts(10, SAMPLES, 64, sets.share_left))
    own = {
        name
        for metric in METRICS.entries()
        if metric.module.startswith("gandiag.")
        for name in METRICS.load(metric.name).scores
    }
    assert set(table) <= own
    assert all(table.values())


def test_the_basics_hold():
    findings = [self_test._basic(name, check) for name, check in self_test.BASICS.items()]
    assert [finding.state for finding in findings] == ["ok"] * 3, findings


def test_other_random_numbers_are_found(monkeypatch):
    monkeypatch.setattr(self_test, "SEEDED", (0, "doctor", 1))
    finding = self_test._basic("seeds", self_test.BASICS["seeds"])
    assert finding.state == "failed"
    assert "not 1" in finding.text


@pytest.mark.parametrize("name", ["fid", "kid", "precision_recall", "mode_coverage", "memorization", "vendi", "ppl"])
def test_metrics_that_are_right_pass(tested, name):
    finding = tested(name)
    assert finding.state == "ok", finding.text
    assert "reactions as its theory says" in finding.text


@pytest.mark.parametrize("name", ["fid", "precision_recall", "vendi", "inception_score"])
def test_a_metric_of_the_wrong_direction_is_found(tested, name):
    metric = METRICS.load(name)
    turned = {score: "higher" if better == "lower" else "lower" for score, better in metric.scores.items()}

    def compute(*, real, fake, rng):
        found = metric.compute(real=real, fake=fake, rng=rng)
        return {each: dataclasses.replace(score, better=turned[each]) for each, score in found.items()}

    finding = tested(name, dataclasses.replace(metric, compute=compute, scores=turned))
    assert finding.state == "failed"
    assert "worse than" in finding.text
    assert finding.remedy


@pytest.mark.parametrize("name", ["precision_recall", "memorization", "realism"])
def test_a_metric_that_takes_one_side_for_the_other_is_found(tested, name):
    metric = METRICS.load(name)

    def compute(*, real, fake, rng):
        return metric.compute(real=fake, fake=real, rng=rng)

    assert tested(name, dataclasses.replace(metric, compute=compute)).state == "failed"


def test_a_biased_estimate_is_found(tested):
    metric = METRICS.load("kid")

    def compute(*, real, fake, rng):
        # With a sample's pairs with itself, as a V-statistic has them, a set against its copy has 0.
        found = metric.compute(real=real, fake=fake, rng=rng)["kid"]
        return {"kid": dataclasses.replace(found, value=max(found.value, 0.0))}

    finding = tested("kid", dataclasses.replace(metric, compute=compute))
    assert "expected identical below 0" in finding.text


def test_a_score_that_contradicts_its_metric_is_found(tested):
    metric = METRICS.load("fid")
    finding = tested("fid", dataclasses.replace(metric, scores={"fid": "higher", "fid_infinity": "lower"}))
    assert finding.state == "failed"
    assert "declares higher" in finding.text


def test_a_metric_that_raises_is_found_and_the_rest_goes_on(monkeypatch, sets):
    metric = METRICS.load("kid")

    def compute(*, real, fake, rng):
        raise ZeroDivisionError("one line\nand another")

    broken = dataclasses.replace(metric, compute=compute)
    load = METRICS.load
    monkeypatch.setattr(METRICS, "load", lambda name: broken if name == "kid" else load(name))
    monkeypatch.setattr(self_test, "known_sets", lambda advance: sets)
    told = []
    findings = self_test.self_test(told.append, metrics=["kid", "fid"])
    assert named(findings, "kid").text == "ZeroDivisionError: one line and another"
    assert named(findings, "kid").state == "failed"
    assert named(findings, "fid").state == "ok"
    assert told[-1].done <= told[-1].total


def test_a_metric_that_asks_for_what_it_did_not_declare_is_found(tested):
    metric = METRICS.load("kid")
    finding = tested("kid", dataclasses.replace(metric, heads=frozenset({"logits"})))
    assert finding.state == "failed"
    assert "needs features" in finding.text


def of_mean(*, real, fake, rng, sign=1.0, error=0.01, better="lower"):
    """A metric of somebody else's: how far the mean features are apart."""
    distance = float((features_of(real).mean(dim=0) - features_of(fake).mean(dim=0)).norm())
    score = measured(
        sign * distance, stderr=error, error_method="mine", better=better, n_real=len(real), n_fake=len(fake)
    )
    return {"mine": score}


MINE = Metric(compute=of_mean, scores={"mine": "lower"}, heads=frozenset({"features"}), minimum_samples=2)


def test_a_metric_of_somebody_else_is_held_to_its_own_direction(tested):
    finding = tested("fid", MINE)
    assert finding.state == "ok"
    assert finding.text.startswith("2 reactions")
    turned = tested("fid", dataclasses.replace(MINE, compute=functools.partial(of_mean, sign=-1.0)))
    assert turned.state == "failed"
    assert "mine" in turned.text


def test_a_metric_of_somebody_else_that_sees_nothing_is_found(tested):
    def constant(*, real, fake, rng):
        return {"mine": dataclasses.replace(of_mean(real=real, fake=fake, rng=rng)["mine"], value=1.0, ci95=(0.9, 1.1))}

    finding = tested("fid", dataclasses.replace(MINE, compute=constant))
    assert finding.state == "failed"
    assert "neither the shifted nor the collapsed set" in finding.text
    vague = tested("fid", dataclasses.replace(MINE, compute=functools.partial(of_mean, error=1e3)))
    assert vague.state == "failed"


def test_a_metric_without_a_direction_is_a_note(tested):
    neither = dataclasses.replace(MINE, compute=functools.partial(of_mean, better=None), scores={"mine": None})
    assert tested("fid", neither).state == "note"


def test_a_constant_fid_and_an_undefined_one_are_found(tested):
    metric = METRICS.load("fid")

    def constant(*, real, fake, rng):
        found = metric.compute(real=real, fake=fake, rng=rng)
        return {name: dataclasses.replace(score, value=7.0) for name, score in found.items()}

    finding = tested("fid", dataclasses.replace(metric, compute=constant))
    assert finding.state == "failed"
    assert "expected identical = 0" in finding.text

    def unknown(*, real, fake, rng):
        found = metric.compute(real=real, fake=fake, rng=rng)
        none = dataclasses.replace(
            found["fid"], value=None, status="undefined", reason="too few", stderr=None, ci95=None
        )
        return dict.fromkeys(found, none)

    finding = tested("fid", dataclasses.replace(metric, compute=unknown))
    assert finding.state == "failed"
    assert "undefined for the identical set: too few" in finding.text


def test_broken_sets_end_the_test_with_a_finding(monkeypatch):
    def broken(advance):
        raise MissingDataError("the embedded digits are damaged")

    monkeypatch.setattr(self_test, "known_sets", broken)
    findings = self_test.self_test()
    assert findings[-1].state == "failed"
    assert "damaged" in findings[-1].text


@pytest.mark.slow
def test_every_metric_reacts_as_its_theory_says():
    told = []
    findings = self_test.self_test(told.append)
    assert [finding.text for finding in findings if finding.state == "failed"] == []
    assert {finding.name for finding in findings} >= set(METRICS.names())
    assert told[-1].done == told[-1].total
    assert np.all(np.diff([step.done for step in told]) >= 0)
