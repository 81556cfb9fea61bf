from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.conditional import conditional
from gandiag.metrics.fid import fid
from gandiag.statistics.feature_bank import FeatureBank


def bank(features, labels):
    return FeatureBank(features=features, labels=labels)


def classes(normal, count, classes=5, width=3):
    """Samples of classes that lie in a row, 8 deviations apart."""
    labels = torch.arange(count) % classes
    rows = normal(count, width)
    rows[:, 0] += 8.0 * labels
    return rows, labels


def scores(real, fake):
    return conditional(real=bank(*real), fake=bank(*fake), rng=np.random.default_rng(0))


def test_intra_fid_is_the_mean_of_the_classes(normal):
    real, fake = classes(normal, 400), classes(normal, 300)
    found = scores(real, fake)
    each = [fid(real=real[0][real[1] == c], fake=fake[0][fake[1] == c])["fid"].value for c in range(5)]
    assert found["intra_fid"].value == pytest.approx(np.mean(each), rel=1e-6)
    assert found["intra_fid"].details["classes"]["3"] == pytest.approx(each[3], rel=1e-6)
    assert found["classes_kept"].value == 5
    assert found["classes_kept"].details["lost"] == []


def test_swapped_labels_leave_fid_alone_and_are_seen_here(normal):
    real, (rows, labels) = classes(normal, 500), classes(normal, 500)
    swapped = torch.where(labels == 0, 1, torch.where(labels == 1, 0, labels))
    good, bad = scores(real, (rows, labels)), scores(real, (rows, swapped))
    assert fid(real=real[0], fake=rows)["fid"].value < 1
    assert bad["intra_fid"].value > good["intra_fid"].value + 20
    assert bad["class_recall"].value == 0
    assert bad["classes_kept"].details["lost"] == ["0", "1"]


def test_a_class_that_never_comes_is_named(normal):
    real, (rows, labels) = classes(normal, 500), classes(normal, 500)
    kept = labels != 2
    found = scores(real, (rows[kept], labels[kept]))
    assert found["classes_kept"].value == 4
    assert found["classes_kept"].details["lost"] == ["2"]
    assert found["classes_kept"].details["classes"]["2"]["recall"] == 0
    assert found["class_recall"].details["class"] == "2"
    assert found["intra_fid"].status == "unreliable"
    assert found["intra_fid"].details["left_out"] == ["2"]


def test_a_class_of_one_image_is_lost_by_its_recall(normal):
    real, (rows, labels) = classes(normal, 600), classes(normal, 600)
    rows[labels == 4] = rows[labels == 4][:1] + 1e-3 * normal(120, 3)
    found = scores(real, (rows, labels))
    assert found["classes_kept"].details["lost"] == ["4"]
    assert found["class_recall"].value < 0.1


def test_a_class_is_hardly_ever_lost_by_chance():
    generator = torch.Generator().manual_seed(0)

    def draw():
        labels = torch.randint(0, 5, (300,), generator=generator)
        return torch.randn(300, 3, generator=generator) + 8 * labels[:, None], labels

    lost = sum(bool(scores(draw(), draw())["classes_kept"].details["lost"]) for _ in range(25))
    assert lost <= 4


def test_the_interval_of_intra_fid_covers_its_expectation():
    generator = torch.Generator().manual_seed(1)

    def draw():
        labels = torch.arange(200) % 4
        real, fake = (torch.randn(200, 3, generator=generator) for _ in range(2))
        return scores((real, labels), (1.5 * fake + 0.5, labels))

    drawn = [draw() for _ in range(40)]
    for name, least in (("intra_fid", 34), ("class_recall", 33)):
        expectation = np.mean([each[name].value for each in drawn])
        covered = sum(low <= expectation <= high for low, high in (each[name].ci95 for each in drawn))
        assert covered >= least, name


def test_labels_of_channels_are_joined_if_they_are_few(normal):
    labels = torch.stack([torch.arange(400) % 2, torch.arange(400) // 2 % 2], dim=1)
    rows = normal(400, 3)
    found = scores((rows, labels), (normal(400, 3), labels))
    assert set(found["classes_kept"].details["classes"]) == {"0-0", "0-1", "1-0", "1-1"}
    many = torch.stack([torch.arange(400) % 20, torch.arange(400) // 20], dim=1)
    for score in scores((rows, many), (rows, many)).values():
        assert "400 classes together" in score.reason


def test_the_order_does_not_matter_and_details_are_json(normal):
    real, fake = classes(normal, 200), classes(normal, 150)
    turned = scores(tuple(part.flip(0) for part in real), tuple(part.flip(0) for part in fake))
    for name, score in scores(real, fake).items():
        assert turned[name].value == pytest.approx(score.value, rel=1e-6)
        json.dumps(score.details, allow_nan=False)


def test_degenerate_samples_have_reasons(normal):
    labels = torch.arange(60) % 2
    same = scores((torch.ones(60, 3), labels), (torch.ones(60, 3), labels))
    assert same["intra_fid"].value == pytest.approx(0, abs=1e-9)
    assert same["class_recall"].value == 1
    for score in scores((normal(20, 3), labels[:20]), (normal(60, 3), labels)).values():
        assert score.status == "undefined"


def test_what_does_not_fit_is_an_input_error(normal):
    labels = torch.arange(60) % 2
    with pytest.raises(InputError, match="4 dimensions and fake ones 3"):
        scores((normal(60, 4), labels), (normal(60, 3), labels))
    with pytest.raises(InputError, match="no labels"):
        conditional(real=bank(normal(60, 3), labels), fake=FeatureBank(features=normal(60, 3)))
