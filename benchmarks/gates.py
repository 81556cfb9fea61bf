"""How often a gate decides rightly: equal models must not fail a regression gate, a worse one must.

    python benchmarks/gates.py                 # 100 seeds of each case
    python benchmarks/gates.py --seeds 400 --out benchmarks/gates.md

The features are Gaussian, so that the true distance is known: reals are standard normal, a model is a shift of standard
normal noise, and the FID of its population is the shift's square. The models of a pair share noise and reals, as two
checkpoints that gandiag scores with one seed do; the directions of their shifts are an angle apart, which sets how much
of their noise they share. Each decision is that of `gandiag.gate` on the real `fid`.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gandiag.core import seeds
from gandiag.core.files import atomic_write
from gandiag.core.fingerprint import fingerprint
from gandiag.core.result import Result
from gandiag.core.score import Score
from gandiag.gates.gate import gate
from gandiag.gates.looks import escalate
from gandiag.gates.policy import Policy
from gandiag.metrics.fid import fid

DIMENSION = 8
DISTANCE = 1.0  # FID of the baseline's population
MOST = 100_000


@dataclass(frozen=True)
class Model:
    """A generator of Gaussian features: its true FID, the direction of its shift, and the noise that it draws."""

    distance: float
    angle: float
    noise: str = "fake"

    def result(self, seed: int, samples: int) -> Result:
        """Scored with so many samples a side."""
        shift = np.zeros(DIMENSION)
        shift[:2] = math.sqrt(self.distance) * np.array([math.cos(self.angle), math.sin(self.angle)])
        real = torch.from_numpy(seeds.normal(seed, "real", 0, samples, DIMENSION)).float()
        fake = torch.from_numpy(seeds.normal(seed, self.noise, 0, samples, DIMENSION) + shift).float()
        return as_result(fid(real=real, fake=fake), samples)


def as_result(scores: dict[str, Score], samples: int) -> Result:
    """Scores as a Result of one protocol."""
    from dataclasses import replace

    marked = {
        name: replace(score, fingerprint=fingerprint({"score": name, "samples": samples}))
        for name, score in scores.items()
    }
    return Result("2026-01-01T00:00:00+00:00", {"name": "model"}, {"name": "normal"}, {"samples": samples}, marked)


def policy(limits: str, metric: str = "fid") -> Policy:
    """A policy of one gate on the metric, or of several, one a line."""
    return Policy.from_toml("".join(f'[[gate]]\nmetric = "{metric}"\n{limit}\n' for limit in limits.splitlines()))


def at_once(one: Model, other: Model, rules: Policy, samples: int) -> Callable[[int], str]:
    """The verdict on `one` with `other` as its baseline."""
    return lambda seed: gate(one.result(seed, samples), rules, other.result(seed, samples)).status


def as_asked(one: Model, other: Model, rules: Policy, samples: int) -> Callable[[int], str]:
    """The verdict with the samples that a first gate asked for, from which nothing else is taken."""

    def decide(seed: int) -> str:
        first = gate(one.result(seed, samples), rules, other.result(seed, samples))
        count = first.samples_needed
        if count is None:
            return first.status
        count = min(count, MOST)
        return gate(one.result(seed, count), rules, other.result(seed, count)).status

    return decide


def escalated(one: Model, other: Model, rules: Policy, samples: int) -> Callable[[int], str]:
    """The verdict of `--escalate`."""

    def decide(seed: int) -> str:
        looked = escalate(
            lambda count: one.result(seed, count),
            lambda count: other.result(seed, count),
            rules,
            one.result(seed, samples),
            other.result(seed, samples),
            most=MOST,
        )
        return looked.verdict.status

    return decide


def limit(model: Model, rules: Policy, samples: int) -> Callable[[int], str]:
    """The verdict on a limit."""
    return lambda seed: gate(model.result(seed, samples), rules).status


def cases() -> Iterator[tuple[str, Callable[[int], str]]]:
    """What is decided, and how."""
    base = Model(DISTANCE, 0.0)
    equal, far = Model(DISTANCE, math.pi / 6), Model(DISTANCE, math.pi / 2)
    alone = Model(DISTANCE, math.pi / 6, noise="other noise")
    worse = Model(1.1 * DISTANCE, math.pi / 6)
    none, five = policy("max_regression = 0"), policy('max_regression = "5%"')
    yield "10% worse, as many samples as asked for, 5%", as_asked(worse, base, five, 1000)
    yield "10% worse, as many samples as asked for, max_regression = 0", as_asked(worse, base, none, 1000)
    yield "equal, 30 degrees apart, N=1,000, max_regression = 0", at_once(equal, base, none, 1000)
    yield "equal, 90 degrees apart, N=1,000, max_regression = 0", at_once(far, base, none, 1000)
    yield "equal, other noise, N=1,000, max_regression = 0", at_once(alone, base, none, 1000)
    yield "equal, 30 degrees apart, N=1,000, 5%", at_once(equal, base, five, 1000)
    yield "equal, as many samples as asked for, 5%", as_asked(equal, base, five, 1000)
    yield "equal, escalated from N=1,000, max_regression = 0", escalated(equal, base, none, 1000)
    yield "equal, escalated from N=1,000, 5%", escalated(equal, base, five, 1000)
    yield "5% worse, at the allowance, escalated, 5%", escalated(Model(1.05, math.pi / 6), base, five, 1000)
    yield "10% worse, 30 degrees apart, N=1,000, 5%", at_once(worse, base, five, 1000)
    yield "10% worse, escalated from N=1,000, 5%", escalated(worse, base, five, 1000)
    # fid_infinity has no bias, so that its limit may lie at the truth: the hardest there is.
    at_truth = policy(f"max = {DISTANCE}", "fid_infinity")
    yield "fid_infinity with its limit at the truth, N=1,000", limit(base, at_truth, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lines = ["| case | passed | failed | inconclusive |", "| --- | ---: | ---: | ---: |"]
    print("\n".join(lines))
    for name, decide in cases():
        found = Counter(decide(seed) for seed in range(arguments.seeds))
        lines.append(f"| {name} | {found['passed']} | {found['failed']} | {found['inconclusive']} |")
        print(lines[-1], flush=True)
    if arguments.out is not None:
        with atomic_write(arguments.out) as temporary:
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
