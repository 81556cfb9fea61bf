"""Classification accuracy score: how well a classifier that saw only labelled fakes knows real images.

A classifier is trained on fakes with their labels and tested on real images (Ravuri and Vinyals, 2019, arXiv
1905.10887). What a class lacks, or has from another class, the classifier does not learn. The network is gandiag's own
and small, so that values compare with each other and not with the paper's ResNet-50.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.errors import InputError
from gandiag.core.score import NORMAL_95, Better, Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics.classifier import correct_answers, train_classifier
from gandiag.statistics.content_order import content_order
from gandiag.statistics.feature_bank import FeatureBank, images_of, labels_of
from gandiag.statistics.intervals import share_interval, student_factor

SMALLEST = 10
TRAININGS = 3
STEPS = 400
BETTER: Better = "higher"


def cas(
    *,
    real: FeatureBank,
    fake: FeatureBank,
    rng: np.random.Generator | None = None,
    trainings: int = TRAININGS,
    steps: int = STEPS,
) -> dict[str, Score]:
    """Accuracy on real images of a classifier trained on fakes, higher is better.

    Args:
        real: images (n, C, H, W) and labels: (n,), or (n, C) where each channel is an image with a label of its own.
        fake: the same, the labels being those that the generator was asked for.
        rng: draws the networks' first weights and the batches; a fixed one where none is given.
        trainings: classifiers trained on the fakes, whose accuracies are averaged.
        steps: batches of 64 that each learns from, whatever the number of samples: the time does not grow with it.

    Returns:
        `cas`, 0 to 1. The interval covers the draw of the real images and, from the spread among the trainings, the
        classifier's own chance; it does not cover the draw of the fakes. Fewer fakes teach less: compare at equal
        numbers. `details`: `classes`, accuracy and how many were tested, by class; `real`: the same classifier trained
        on one half of the real images and tested on the other, which is what labels and network allow;
        `real_stderr`; `difference`, cas - real; `accuracies` of the trainings.

    Raises:
        InputError: a side lacks images or labels, or their shapes differ.
    """
    real_images, real_labels = _labelled(real)
    fake_images, fake_labels = _labelled(fake)
    if real_images.shape[1:] != fake_images.shape[1:] or real_labels.shape[1:] != fake_labels.shape[1:]:
        raise InputError(
            f"real images {tuple(real_images.shape[1:])} with labels {tuple(real_labels.shape[1:])} and fake images "
            f"{tuple(fake_images.shape[1:])} with labels {tuple(fake_labels.shape[1:])} do not go together"
        )
    n_real, n_fake = len(real_images), len(fake_images)
    params = {"trainings": trainings, "steps": steps}
    reason = None
    if min(n_real, n_fake) < SMALLEST:
        reason = f"{min(n_real, n_fake)} samples are too few; {SMALLEST} or more a side"
    elif len(torch.unique(real_labels)) < 2:
        reason = "the real images are all of one class: there is nothing to tell apart"
    if reason:
        return {"cas": undefined(reason, better=BETTER, n_real=n_real, n_fake=n_fake, params=params)}
    rng = rng or seeds.generator(0, "cas")
    names, ranks = torch.unique(torch.cat([real_labels, fake_labels]), return_inverse=True)
    real_ranks, fake_ranks = ranks[:n_real], ranks[n_real:]
    of_fake, of_real = (content_order(images, rng.bytes(16)) for images in (fake_images, real_images))
    taught = fake_images[of_fake], fake_ranks[of_fake]
    answers = [
        correct_answers(train_classifier(*taught, len(names), steps, rng), real_images, real_ranks)
        for _ in range(trainings)
    ]
    correct = torch.stack(answers)  # (trainings, n) or (trainings, n, C)
    of_image = correct.reshape(trainings, n_real, -1).mean(dim=2)
    accuracies = of_image.mean(dim=1).tolist()
    value = float(np.mean(accuracies))
    stderr, interval = _error(of_image, value)
    learned, tested = of_real[: n_real // 2], of_real[n_real // 2 :]
    network = train_classifier(real_images[learned], real_ranks[learned], len(names), steps, rng)
    ceiling = correct_answers(network, real_images[tested], real_ranks[tested]).reshape(len(tested), -1).mean(dim=1)
    details: dict[str, Any] = {
        "accuracies": accuracies,
        "classes": _by_class(correct.mean(dim=0), real_labels),
        "real": float(ceiling.mean()),
        "real_stderr": float(ceiling.std()) / len(ceiling) ** 0.5,
        "difference": value - float(ceiling.mean()),
    }
    return {
        "cas": measured(
            value,
            stderr=stderr,
            interval=interval,
            error_method="binomial over images, and the spread among trainings" if trainings > 1 else "binomial",
            better=BETTER,
            limits=(0.0, 1.0),
            n_real=n_real,
            n_fake=n_fake,
            params=params,
            details=details,
        )
    }


def _labelled(side: FeatureBank) -> tuple[Tensor, Tensor]:
    images, labels = images_of(side), labels_of(side)
    per_channel = images.ndim == 4 and labels.ndim == 2 and labels.shape[1] == images.shape[1]
    if images.ndim != 4 or (labels.ndim != 1 and not per_channel) or len(labels) != len(images):
        raise InputError(f"labels {tuple(labels.shape)} do not fit images {tuple(images.shape)}")
    return images, labels.to(images.device)


def _error(correct: Tensor, value: float) -> tuple[float, tuple[float, float]]:
    """Standard error and interval from the correct answers (trainings, n): images and trainings are independent."""
    trainings, count = correct.shape
    of_images = float(correct.mean(dim=0).var()) / count
    of_trainings = float(correct.mean(dim=1).var()) / trainings if trainings > 1 else 0.0
    reach = NORMAL_95 * math.sqrt(of_images + of_trainings * student_factor(max(trainings, 2)) ** 2)
    low, high = share_interval(value, count)
    return math.sqrt(of_images + of_trainings), (min(value - reach, low), max(value + reach, high))


def _by_class(correct: Tensor, labels: Tensor) -> dict[str, dict[str, float]]:
    found = {}
    for label in torch.unique(labels).tolist():
        answers = correct[labels == label]
        found[str(label)] = {"accuracy": float(answers.mean()), "tested": len(answers)}
    return found


METRIC = Metric(
    compute=cas,
    scores={"cas": BETTER},
    heads=frozenset({"images", "labels"}),
    minimum_samples=SMALLEST,
    maximum_samples=10_000,
    images_only=True,
)
