"""Class by class, for labelled generators: FID and recall within each class, and the lost classes by name.

`intra_fid` is the mean over the classes of the FID of each (Miyato and Koyama, 2018, arXiv 1802.05637), `class_recall`
the lowest recall of a class (recall of Kynkaanniemi et al., 2019, arXiv 1904.06991), `classes_kept` the classes that
are not lost. A class is lost if its share of the fakes or its recall is half of what it should be, or less, beyond
chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.errors import InputError
from gandiag.core.score import NORMAL_95, Better, Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.metrics._pair import feature_pair
from gandiag.statistics.balls import Side, count_in_balls
from gandiag.statistics.feature_bank import FeatureBank, labels_of
from gandiag.statistics.frechet import frechet_distance_of_features
from gandiag.statistics.half_sampling import random_halves
from gandiag.statistics.intervals import share_interval, student_factor
from gandiag.statistics.neighbours import common_shift

K = 3
HALVES = 20
SPLITS = 4  # random splits of each class into halves whose distances give the error bar
SMALLEST = 50  # samples a side
SMALLEST_CLASS = 10  # samples a side below which a class has no distance
MOST_JOINED = 100  # classes that labels of several channels may make together
LEVEL = 0.05  # chance that a class is called lost where none is, over all classes and both tests
LOST = 0.5
SCORES: dict[str, Better | None] = {"intra_fid": "lower", "class_recall": "higher", "classes_kept": "higher"}


@dataclass(frozen=True)
class _Class:
    """What was found in one class; None where it has too few samples."""

    name: str
    n_real: int
    n_fake: int
    fid: float | None
    fid_variance: float
    recalls: Tensor | None  # of the whole and of each half
    deficient: bool


def conditional(
    *,
    real: FeatureBank,
    fake: FeatureBank,
    rng: np.random.Generator | None = None,
    k: int = K,
) -> dict[str, Score]:
    """FID and recall class by class.

    Args:
        real: features (n, d) and labels, (n,), or (n, C) for one a channel, whose combinations are the classes then.
        fake: the same, the labels being those that the generator was asked for.
        rng: draws the halves; a fixed one where none is given.
        k: neighbour that sets the radius for recall.

    Returns:
        `intra_fid`: mean FID of the classes that have 10 samples or more a side; biased upward by about c / N with N
        the samples of a class, so much more than FID. Lower is better. Its error bar is the spread among halves.
        `class_recall`: the lowest recall of a class, higher is better; 0 for a class without fakes. A minimum is biased
        downward. Its error bar is the spread among halves, with classes halved independently.
        `classes_kept`: classes of the real samples that are not lost, out of `details["total"]`. A class is lost if
        its share of the fakes is below half its real share, or its recall below half of the median class's: exact
        binomial tests at 5% for all together by Holm's correction. Recalls count as half as many trials as there are
        samples, since neighbouring samples share balls. `details["lost"]` are their names, `["classes"]` all.

    Raises:
        InputError: a side lacks features or labels, or the dimensions differ.
    """
    real_features, fake_features = feature_pair(real=real, fake=fake)
    n_real, n_fake = len(real_features), len(fake_features)
    names, of_real, of_fake = _classes(labels_of(real), labels_of(fake))
    reason = None
    if len(of_real) != n_real or len(of_fake) != n_fake:
        raise InputError(f"{len(of_real)} and {len(of_fake)} labels are not of {n_real} and {n_fake} features")
    if min(n_real, n_fake) < SMALLEST:
        reason = f"{min(n_real, n_fake)} samples are too few; {SMALLEST} or more a side"
    elif real.labels is not None and real.labels.ndim == 2 and len(names) > MOST_JOINED:
        reason = f"the channels' labels make {len(names)} classes together, too many to look at one by one"
    rng = rng or seeds.generator(0, "conditional")
    found = [] if reason else _each(names, real_features, fake_features, of_real, of_fake, k, rng)
    if not reason and not any(part.fid is not None for part in found):
        reason = f"no class has {SMALLEST_CLASS} samples on each side"
    params = {"k": k}
    if reason:
        return {
            name: undefined(reason, better=better, n_real=n_real, n_fake=n_fake, params=params)
            for name, better in SCORES.items()
        }
    lost = _lost(found, n_real, n_fake)
    details = {
        "lost": lost,
        "total": len(found),
        "classes": {part.name: _shown(part, n_real, n_fake) for part in found},
    }
    return {
        "intra_fid": _intra_fid(found, n_real, n_fake),
        "class_recall": _lowest(found, n_real, n_fake, k),
        "classes_kept": measured(
            float(len(found) - len(lost)),
            stderr=None,
            error_method="none: a count of tests, whose errors are held to 5% for all together",
            better="higher",
            n_real=n_real,
            n_fake=n_fake,
            params=params,
            details=details,
        ),
    }


def _classes(real: Tensor, fake: Tensor) -> tuple[list[str], Tensor, Tensor]:
    """Names of the real samples' classes, and the class of each sample; -1 for fakes of a class that has no name."""
    if real.shape[1:] != fake.shape[1:]:
        raise InputError(f"real labels {tuple(real.shape)} and fake labels {tuple(fake.shape)} do not go together")
    rows_real, rows_fake = (labels.cpu().reshape(len(labels), -1) for labels in (real, fake))
    found, of_real = torch.unique(rows_real, dim=0, return_inverse=True)
    index = {tuple(row): rank for rank, row in enumerate(found.tolist())}
    of_fake = torch.tensor([index.get(tuple(row), -1) for row in rows_fake.tolist()], dtype=torch.int64)
    return ["-".join(str(part) for part in row) for row in index], of_real, of_fake


def _each(
    names: list[str], real: Tensor, fake: Tensor, of_real: Tensor, of_fake: Tensor, k: int, rng: np.random.Generator
) -> list[_Class]:
    found = []
    for rank, name in enumerate(names):
        own_real, own_fake = real[(of_real == rank).to(real.device)], fake[(of_fake == rank).to(fake.device)]
        n_real, n_fake = len(own_real), len(own_fake)
        distance, variance = None, 0.0
        if min(n_real, n_fake) >= SMALLEST_CLASS:
            distance = frechet_distance_of_features(real=own_real, fake=own_fake).distance
            variance = _half_variance(own_real, own_fake, rng)
        deficient = min(n_real, n_fake) <= real.shape[1]
        recalls = _recalls(own_real, own_fake, k, rng)
        found.append(_Class(name, n_real, n_fake, distance, variance, recalls, deficient))
    return found


def _half_variance(real: Tensor, fake: Tensor, rng: np.random.Generator) -> float:
    """Variance of the distance: two independent halves differ by four times as much."""
    differences = []
    for _ in range(SPLITS):
        in_real, in_fake = (random_halves(len(side), 1, rng)[0].to(side.device) for side in (real, fake))
        one = frechet_distance_of_features(real=real[in_real], fake=fake[in_fake]).distance
        other = frechet_distance_of_features(real=real[~in_real], fake=fake[~in_fake]).distance
        differences.append((one - other) ** 2 / 4)
    return float(np.mean(differences))


def _recalls(real: Tensor, fake: Tensor, k: int, rng: np.random.Generator) -> Tensor | None:
    """Share of the real samples in the fakes' balls, in the whole and in each half; None for too few fakes."""
    if len(fake) == 0:
        return torch.zeros(1 + HALVES, dtype=torch.float64)
    if len(fake) <= k or len(real) < 2:
        return None
    halves = HALVES if len(fake) // 2 > k else 0
    in_real, in_fake = (random_halves(len(side), halves, rng).to(real.device) for side in (real, fake))
    shift = common_shift(real=real, fake=fake)
    around_fake, _ = count_in_balls(Side(fake, in_fake, (k,)), Side(real, in_real, ()), shift=shift)
    return around_fake[k].share_of_points_inside().cpu()


def _intra_fid(found: list[_Class], n_real: int, n_fake: int) -> Score:
    measured_classes = [(part.name, part.fid, part.fid_variance) for part in found if part.fid is not None]
    count = len(measured_classes)
    stderr = float(np.sqrt(sum(variance for _, _, variance in measured_classes))) / count
    missing = [part.name for part in found if part.fid is None]
    unreliable = None
    if missing:
        unreliable = f"{len(missing)} of {len(found)} classes have fewer than {SMALLEST_CLASS} samples on a side"
    elif any(part.deficient for part in found):
        unreliable = "a class has too few samples to fill the dimensions: the bias is large"
    value = float(np.mean([distance for _, distance, _ in measured_classes]))
    # A class's splits share its samples: each class adds about one degree of freedom.
    reach = NORMAL_95 * stderr * student_factor(count + 1)
    return measured(
        value,
        stderr=stderr,
        interval=(value - reach, value + reach),
        error_method="half-sampling",
        better="lower",
        limits=(0.0, np.inf),
        n_real=n_real,
        n_fake=n_fake,
        unreliable=unreliable,
        params={"splits": SPLITS},
        details={"left_out": missing, "classes": {name: distance for name, distance, _ in measured_classes}},
    )


def _lowest(found: list[_Class], n_real: int, n_fake: int, k: int) -> Score:
    known = [(float(part.recalls[0]), part) for part in found if part.recalls is not None]
    params = {"k": k}
    if not known:
        return undefined(
            f"no class has more than {k} fakes", better="higher", n_real=n_real, n_fake=n_fake, params=params
        )
    value, worst = min(known, key=lambda pair: pair[0])
    halved = [part.recalls for _, part in known if part.recalls is not None and len(part.recalls) > 1]
    stderr, interval = None, None
    if len(halved) == len(known):
        stderr = float(torch.stack(halved)[:, 1:].amin(dim=0).std())
        low, high = share_interval(value, worst.n_real)
        interval = (min(value - NORMAL_95 * stderr, low), max(value + NORMAL_95 * stderr, high))
    return measured(
        value,
        stderr=stderr,
        interval=interval,
        error_method="none: halves of a class have no neighbours" if stderr is None else "half-sampling",
        better="higher",
        limits=(0.0, 1.0),
        n_real=n_real,
        n_fake=n_fake,
        params=params,
        details={"class": worst.name, "classes": {part.name: recall for recall, part in known}},
    )


def _lost(found: list[_Class], n_real: int, n_fake: int) -> list[str]:
    """Names of the classes whose share or recall is below half of what it should be, by Holm's step-down test."""
    from scipy.stats import binom

    tests = []
    recalls = [float(part.recalls[0]) for part in found if part.recalls is not None]
    expected = LOST * float(np.median(recalls)) if recalls else 0.0
    for part in found:
        # Of two Poisson counts, given their sum, one is binomial.
        under_half = LOST * n_fake / (LOST * n_fake + n_real)
        tests.append((float(binom.cdf(part.n_fake, part.n_fake + part.n_real, under_half)), part.name))
        if part.recalls is not None and part.n_fake > 0:
            trials = max(1, min(part.n_real, part.n_fake) // 2)
            tests.append((float(binom.cdf(np.floor(float(part.recalls[0]) * trials), trials, expected)), part.name))
    lost = set()
    for rank, (chance, name) in enumerate(sorted(tests)):
        if chance > LEVEL / (len(tests) - rank):
            break
        lost.add(name)
    return [part.name for part in found if part.name in lost]


def _shown(part: _Class, n_real: int, n_fake: int) -> dict[str, Any]:
    return {
        "real_share": part.n_real / n_real,
        "fake_share": part.n_fake / n_fake,
        "fid": part.fid,
        "recall": None if part.recalls is None else float(part.recalls[0]),
    }


METRIC = Metric(
    compute=conditional,
    scores=SCORES,
    heads=frozenset({"features", "labels"}),
    minimum_samples=SMALLEST,
    maximum_samples=10_000,
    version=2,
)
