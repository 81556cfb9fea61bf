"""Do the 95% intervals cover the truth 95 times in a hundred?

    python benchmarks/coverage.py                 # 200 draws of each case
    python benchmarks/coverage.py --draws 1000 --out benchmarks/coverage.md

Each case draws both sides anew, computes the score and its interval, and counts how often the interval holds the truth:
for `fid_infinity` and `mode_kl_excess` the population's value, known in closed form; for the others the expectation at
that number of samples, the mean over as many independent draws again.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.modes import ClassModes
from gandiag.core.score import Score
from gandiag.metrics.c2st import c2st
from gandiag.metrics.cmmd import cmmd
from gandiag.metrics.conditional import conditional
from gandiag.metrics.fid import fid
from gandiag.metrics.fld import fld
from gandiag.metrics.inception_score import inception_score
from gandiag.metrics.kid import kid
from gandiag.metrics.memorization import memorization
from gandiag.metrics.mind import mind
from gandiag.metrics.mode_coverage import mode_coverage
from gandiag.metrics.ndb import ndb
from gandiag.metrics.ppl import ppl
from gandiag.metrics.precision_recall import precision_recall
from gandiag.metrics.realism import realism
from gandiag.metrics.vendi import vendi
from gandiag.statistics.feature_bank import FeatureBank

Scores = dict[str, Score]


@dataclass(frozen=True)
class Case:
    """Sets to draw from, the metric, and the truth of each score; None where the expectation is to be found."""

    name: str
    draw: Callable[[int], Scores]
    truths: dict[str, float | None]


def gaussians(count: int, dimension: int, shift: float, scale: float) -> Callable[[int], tuple[Tensor, Tensor]]:
    """Standard normal reals, and fakes moved and stretched along each axis."""

    def draw(seed: int) -> tuple[Tensor, Tensor]:
        real = seeds.normal(seed, "real", 0, count, dimension)
        fake = seeds.normal(seed, "fake", 0, count, dimension) * scale + shift
        return torch.from_numpy(real).float(), torch.from_numpy(fake).float()

    return draw


def exponentials(count: int, dimension: int, scale: float) -> Callable[[int], tuple[Tensor, Tensor]]:
    """Exponential reals and stretched fakes: skewed, with heavy tails; the means and deviations differ by scale - 1."""

    def draw(seed: int) -> tuple[Tensor, Tensor]:
        real = -np.log(seeds.uniform(seed, "real", 0, count, dimension))
        fake = -np.log(seeds.uniform(seed, "fake", 0, count, dimension)) * scale
        return torch.from_numpy(real).float(), torch.from_numpy(fake).float()

    return draw


def distance_cases() -> Iterator[Case]:
    """FID in closed form: d (shift^2 + (1 - scale)^2) for the Gaussians, 2 d (1 - scale)^2 for the exponentials."""
    settings = [
        ("Gaussians, d=16, N=800", gaussians(800, 16, 0.3, 1.3), 16 * (0.3**2 + 0.3**2)),
        ("Gaussians, d=64, N=2,000", gaussians(2000, 64, 0.05, 1.05), 64 * (0.05**2 + 0.05**2)),
        ("equal Gaussians, d=16, N=1,000", gaussians(1000, 16, 0.0, 1.0), 0.0),
        ("exponentials, d=8, N=1,000", exponentials(1000, 8, 1.3), 2 * 8 * 0.3**2),
        ("equal exponentials, d=8, N=1,000", exponentials(1000, 8, 1.0), 0.0),
    ]
    for name, draw, truth in settings:

        def compute(seed: int, draw: Callable[[int], tuple[Tensor, Tensor]] = draw) -> Scores:
            real, fake = draw(seed)
            return fid(real=real, fake=fake, rng=seeds.generator(seed, "halves"))

        yield Case(name, compute, {"fid_infinity": truth})


def neighbour_cases() -> Iterator[Case]:
    """Precision and its kin: the expectation at N."""
    settings = [
        ("Gaussians, d=16, N=800", gaussians(800, 16, 0.2, 0.9)),
        ("Gaussians, d=64, N=1,500", gaussians(1500, 64, 0.05, 0.97)),
        ("exponentials, d=8, N=800", exponentials(800, 8, 1.2)),
    ]
    for name, draw in settings:

        def compute(seed: int, draw: Callable[[int], tuple[Tensor, Tensor]] = draw) -> Scores:
            real, fake = draw(seed)
            return precision_recall(real=real, fake=fake, rng=seeds.generator(seed, "halves"))

        yield Case(name, compute, dict.fromkeys(("precision", "recall", "density", "coverage")))


def score_cases() -> Iterator[Case]:
    """The Inception Score: the expectation at N."""
    for name, count, classes, sharpness in (
        ("10 classes, N=2,000", 2000, 10, 3.0),
        ("50 classes, N=5,000", 5000, 50, 2.0),
    ):

        def compute(seed: int, count: int = count, classes: int = classes, sharpness: float = sharpness) -> Scores:
            tilt = np.linspace(-1, 1, classes)
            logits = seeds.normal(seed, "logits", 0, count, classes) * sharpness + tilt
            return inception_score(fake=torch.from_numpy(logits))

        yield Case(name, compute, {"is": None})


def kernel_cases() -> Iterator[Case]:
    """Unbiased and sliced distances, and what else looks at features: the expectation at N."""
    equal, apart = gaussians(400, 16, 0.0, 1.0), gaussians(400, 16, 0.2, 1.1)
    skewed = exponentials(400, 8, 1.2)
    metrics: list[tuple[Callable[..., Scores], tuple[str, ...], dict[str, float]]] = [
        (kid, ("kid",), {"subsets": 0}),
        (cmmd, ("cmmd",), {"sigma": 1.0}),
        (mind, ("mind",), {}),
        (vendi, ("vendi",), {}),
        (ndb, ("ndb", "ndb_jsd"), {"bins": 20}),
        (c2st, (), {}),
        (memorization, ("authenticity",), {}),
        (realism, ("realism",), {}),
    ]
    for metric, names, settings in metrics:
        pairs = {"equal Gaussians, d=16": equal, "Gaussians, d=16": apart, "exponentials, d=8": skewed}
        for title, draw in pairs.items():

            def compute(
                seed: int,
                draw: Callable[[int], tuple[Tensor, Tensor]] = draw,
                metric: Callable[..., Scores] = metric,
                settings: dict[str, float] = settings,
            ) -> Scores:
                real, fake = draw(seed)
                if metric is memorization:  # whose shares are those for these training samples
                    real = draw(-1)[0]
                return metric(real=real, fake=fake, rng=seeds.generator(seed, "metric"), **settings)

            # What two equal sets can be told apart by is 0.5; for others it is what these halves taught.
            truths: dict[str, float | None] = dict.fromkeys(names)
            if metric is c2st:
                truths = {"c2st": 0.5} if draw is equal else {}
            if truths:
                yield Case(f"{title}, N=400", compute, truths)


def labelled_cases() -> Iterator[Case]:
    """Class by class, held-out likelihood and path lengths: the expectation at N."""

    def classes(seed: int) -> Scores:
        sides = []
        for side, scale in (("real", 1.0), ("fake", 1.1)):
            labels = torch.from_numpy(seeds.integers(seed, f"{side} labels", 0, 600, 1, 4)[:, 0])
            rows = torch.from_numpy(seeds.normal(seed, side, 0, 600, 4)).float() * scale
            sides.append(FeatureBank(features=rows + 3 * labels[:, None], labels=labels))
        return conditional(real=sides[0], fake=sides[1], rng=seeds.generator(seed, "metric"))

    def likelihood(seed: int) -> Scores:
        real, fake = gaussians(400, 8, 0.2, 1.2)(seed)
        held_out = FeatureBank(features=torch.from_numpy(seeds.normal(seed, "held out", 0, 400, 8)).float())
        return fld(real=FeatureBank(features=real, held_out=held_out), fake=fake, rng=seeds.generator(seed, "metric"))

    def paths(seed: int) -> Scores:
        lengths = torch.from_numpy(seeds.normal(seed, "paths", 0, 2000, 1)[:, 0]).exp()
        return ppl(fake=FeatureBank(paths=lengths.float()))

    yield Case("4 classes, d=4, N=600", classes, dict.fromkeys(("intra_fid", "class_recall")))
    yield Case("Gaussians, d=8, N=400", likelihood, {"fld": None})
    yield Case("log-normal lengths, N=2,000", paths, {"ppl": None})


def mode_cases() -> Iterator[Case]:
    """Divergence from uniform of known shares, against reals with the digits' own frequencies."""
    digits = np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]) / 60_000
    real = ClassModes(digits, channels=3)
    uniform = ClassModes(np.full(10, 0.1), channels=3)
    uneven = seeds.generator(0, "uneven").dirichlet(np.full(1000, 2.0))
    fifty = np.where(np.arange(1000) < 50, 1 / 50, 0.0)
    settings = [
        ("real shares, K=1,000, N=26,000", 26_000, real.probabilities(), real),
        ("uniform shares, K=1,000, N=26,000", 26_000, uniform.probabilities(), real),
        ("uneven shares, K=1,000, N=26,000", 26_000, uneven, real),
        ("50 of 1,000 modes, N=26,000", 26_000, fifty, real),
        ("real shares, K=10, N=1,000", 1000, digits, ClassModes(digits, channels=1)),
        ("uniform shares, K=10, N=1,000", 1000, np.full(10, 0.1), ClassModes(np.full(10, 0.1), channels=1)),
    ]
    for name, count, shares, modes in settings:

        def compute(seed: int, count: int = count, shares: np.ndarray = shares, modes: ClassModes = modes) -> Scores:
            drawn = seeds.generator(seed, "modes").choice(len(shares), size=count, p=shares)
            parts = np.stack(np.unravel_index(drawn, [10] * modes.channels), axis=1)
            logits = torch.nn.functional.one_hot(torch.from_numpy(parts), 10).float() * 20
            return mode_coverage(fake=logits, modes=modes)

        yield Case(name, compute, {"mode_kl_excess": divergence(shares) - divergence(modes.probabilities())})


def divergence(shares: np.ndarray) -> float:
    """KL from uniform."""
    positive = shares[shares > 0]
    return float((positive * np.log(positive * len(shares))).sum())


def measure(case: Case, draws: int) -> Iterator[tuple[str, str, float, float, float, float, float]]:
    """For each score: case, score, truth, mean, true spread, mean standard error, share of intervals that hold it."""
    scores = [case.draw(seed) for seed in range(draws)]
    others = [case.draw(seed) for seed in range(10_000, 10_000 + draws)] if None in case.truths.values() else []
    for name, truth in case.truths.items():
        found = [each[name] for each in scores]
        values = np.array([score.value for score in found])
        expected = float(np.mean([each[name].value for each in others])) if truth is None else truth
        inside = [score.ci95 is not None and score.ci95[0] <= expected <= score.ci95[1] for score in found]
        errors = [math.nan if score.stderr is None else score.stderr for score in found]
        yield (
            case.name,
            name,
            expected,
            float(values.mean()),
            float(values.std(ddof=1)),
            float(np.mean(errors)),
            float(np.mean(inside)),
        )


GROUPS: dict[str, Callable[[], Iterator[Case]]] = {
    "distances": distance_cases,
    "neighbours": neighbour_cases,
    "scores": score_cases,
    "kernels": kernel_cases,
    "labelled": labelled_cases,
    "modes": mode_cases,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--only", nargs="+", choices=GROUPS, help="kinds of scores, all by default")
    parser.add_argument("--out", type=Path, help="write the table there, in Markdown")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        f"Coverage of the 95% intervals over {options.draws} draws; the counting itself has a standard error of "
        f"{math.sqrt(0.95 * 0.05 / options.draws):.1%}.",
        "",
        "| case | score | truth | mean value | true spread | mean standard error | covered |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    print("\n".join(lines), flush=True)
    for group in options.only or GROUPS:
        for case in GROUPS[group]():
            for name, score, truth, mean, spread, error, covered in measure(case, options.draws):
                row = f"| {name} | `{score}` | {truth:.5g} | {mean:.5g} | {spread:.3g} | {error:.3g} | {covered:.1%} |"
                lines.append(row)
                print(row, flush=True)
    if options.out is not None:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
