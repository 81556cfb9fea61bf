from __future__ import annotations

import numpy as np
import pytest
import torch

import gandiag
from gandiag.core.errors import InputError
from gandiag.metrics.cas import cas
from gandiag.statistics.feature_bank import FeatureBank


def shapes(normal, count, classes=3, channels=1):
    """Noisy pictures with a bright square, whose place is the class."""
    labels = torch.arange(count) % classes
    images = 60 + 25 * normal(count, channels, 16, 16)
    for index, label in enumerate(labels.tolist()):
        images[index, :, 4 * label : 4 * label + 5, 3:8] += 100
    return images.clamp(0, 255).byte(), labels


def score(real, fake, seed=0, **options):
    banks = [FeatureBank(images=images, labels=labels) for images, labels in (real, fake)]
    return cas(real=banks[0], fake=banks[1], rng=np.random.default_rng(seed), **options)["cas"]


def test_good_fakes_teach_what_real_images_teach(normal):
    found = score(shapes(normal, 300), shapes(normal, 300))
    assert found.value > 0.95
    assert found.details["real"] > 0.9
    assert set(found.details["classes"]) == {"0", "1", "2"}
    assert found.ci95[0] <= found.value <= found.ci95[1]
    assert len(found.details["accuracies"]) == 3


def test_a_class_that_is_lost_or_mislabelled_is_not_learned(normal):
    real, (images, labels) = shapes(normal, 300), shapes(normal, 300)
    kept = labels != 1
    lost = score(real, (images[kept], labels[kept]))
    assert lost.details["classes"]["1"]["accuracy"] < 0.1
    assert lost.details["classes"]["0"]["accuracy"] > 0.9
    assert lost.value == pytest.approx(2 / 3, abs=0.05)
    wrong = score(real, (images, (labels + 1) % 3))
    assert wrong.value < 0.1
    assert wrong.details["difference"] < -0.8


def test_fakes_without_labels_worth_the_name_teach_chance(normal):
    real, (images, labels) = shapes(normal, 300), shapes(normal, 300)
    shuffled = labels[torch.randperm(300, generator=torch.Generator().manual_seed(0))]
    assert score(real, (images, shuffled)).value < 0.6


def test_each_channel_may_have_its_own_label(normal):
    def stack(count):
        parts = [shapes(normal, count) for _ in range(2)]
        turns = torch.arange(count) * 7 % 3
        order = torch.argsort((parts[1][1] - turns) % 3, stable=True)
        images = torch.cat([parts[0][0], parts[1][0][order]], dim=1)
        return images, torch.stack([parts[0][1], parts[1][1][order]], dim=1)

    found = score(stack(200), stack(200))
    assert found.value > 0.9
    assert sum(each["tested"] for each in found.details["classes"].values()) == 400


def test_one_seed_gives_one_number_and_order_does_not_matter(normal):
    real, fake = shapes(normal, 60), shapes(normal, 60)
    one = score(real, fake, trainings=2)
    assert score(real, fake, trainings=2) == one
    turned = score(tuple(part.flip(0) for part in real), tuple(part.flip(0) for part in fake), trainings=2)
    assert turned.value == pytest.approx(one.value)


def test_it_learns_in_inference_mode(normal):
    with torch.inference_mode():
        assert score(shapes(normal, 200), shapes(normal, 200), trainings=1).value > 0.8


def test_it_leaves_the_global_random_state_alone(normal):
    before = torch.random.get_rng_state()
    score(shapes(normal, 30), shapes(normal, 30), trainings=1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_classifier_of_digits_knows_digits():
    digits = gandiag.load_dataset("mnist")
    images, labels = digits.read(0, 3000), digits.labels(0, 3000)
    found = score((images[:1000], labels[:1000]), (images[1000:], labels[1000:]), trainings=1)
    assert found.value > 0.85


@pytest.mark.slow
def test_the_interval_covers_the_expectation(normal):
    fake = shapes(normal, 60)
    drawn = []
    for seed in range(40):
        images, labels = shapes(normal, 150)
        drawn.append(score(((images.float() * 0.4 + 80).byte(), labels), fake, seed=seed))
    expectation = np.mean([each.value for each in drawn])
    assert sum(low <= expectation <= high for low, high in (each.ci95 for each in drawn)) >= 36


def test_too_few_samples_and_one_class_are_undefined(normal):
    assert "too few" in score(shapes(normal, 9), shapes(normal, 60)).reason
    images, labels = shapes(normal, 30)
    assert "one class" in score((images, labels * 0), (images, labels)).reason


def test_what_does_not_fit_is_an_input_error(normal):
    images, labels = shapes(normal, 30)
    with pytest.raises(InputError, match="go together"):
        score((images, labels), (images[:, :, 1:], labels))
    with pytest.raises(InputError, match="do not fit"):
        score((images, labels[:9]), (images, labels))
    with pytest.raises(InputError, match="no labels"):
        cas(real=FeatureBank(images=images), fake=FeatureBank(images=images))
