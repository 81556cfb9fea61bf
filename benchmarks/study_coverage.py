"""Do the 95% intervals of studies hold the truth 95 times in a hundred?

    python benchmarks/study_coverage.py               # 400 studies of each case: some minutes

Raters are simulated, who differ in how they judge, and images that differ in how they are judged. Each study is read as
`gandiag study read` does it, from the files that its raters saved.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gandiag.comparison.paired import difference
from gandiag.core.result import Result
from gandiag.study.questions import REAL, Key, Question, choose_trials
from gandiag.study.read import read_study

Vector = npt.NDArray[np.float64]
SPREAD, TRUTHS = 1.2, 200_000  # of a logit; draws behind a truth


@dataclass(frozen=True)
class Case:
    """Studies of one kind.

    Attributes:
        name: in words.
        question: what is asked.
        raters, trials: how many.
        score: whose interval is looked at.
        truth: what it should hold.
        real, fake: chance of "real" for a real image and for a fake, or of the first source in a pair, by what is
            drawn of the rater and of the image.
    """

    name: str
    question: Question
    raters: int
    trials: int
    score: str
    truth: float
    real: Callable[[Vector, Vector], Vector]
    fake: Callable[[Vector, Vector], Vector]


def logistic(values: Vector) -> Vector:
    """From a logit to a chance."""
    chances: Vector = 1 / (1 + np.exp(-values))
    return chances


def cases() -> list[Case]:
    """The kinds; rater and image are standard normal."""

    def half(rater: Vector, image: Vector) -> Vector:
        return np.full(np.broadcast(rater, image).shape, 0.5)

    def by_image(rater: Vector, image: Vector) -> Vector:
        return np.where(image > 0, 0.9, 0.1) + 0 * rater

    def by_skill(rater: Vector, image: Vector) -> Vector:
        return np.where(rater > 0, 0.95, 0.55) + 0 * image

    def unskilled(rater: Vector, image: Vector) -> Vector:
        return 1 - by_skill(rater, image)

    def by_rater(rater: Vector, image: Vector) -> Vector:
        return np.clip(0.3 + 0.1 * rater, 0, 1) + 0 * image

    def by_both(rater: Vector, image: Vector) -> Vector:
        return logistic(-0.45 + SPREAD * (rater + image))

    def taste(rater: Vector, image: Vector) -> Vector:
        return logistic(0.5 * rater + image)

    draw = np.random.default_rng(0).standard_normal((4, TRUTHS))
    mean = {each.__name__: float(each(draw[0], draw[1]).mean()) for each in (by_both, by_rater)}
    asked: Question = "real-or-fake"
    return [
        Case("an image fools 1 rater in 10, or 9", asked, 20, 120, "fooling_rate", 0.5, half, by_image),
        Case("a rater is right 55 times in 100, or 95", asked, 12, 60, "human_accuracy", 0.75, by_skill, unskilled),
        Case("raters differ", asked, 8, 60, "fooling_rate", mean["by_rater"], half, by_rater),
        Case("raters and images differ", asked, 10, 80, "fooling_rate", mean["by_both"], half, by_both),
        Case("the same with five raters", asked, 5, 80, "fooling_rate", mean["by_both"], half, by_both),
        Case("raters and pairs differ", "a-or-b", 20, 60, "difference of preference", 0.0, half, taste),
    ]


def interval(case: Case, results: Sequence[Result]) -> tuple[float, float]:
    """Of the score that is looked at."""
    if case.score == "difference of preference":
        found = difference(results[0]["preference"], results[1]["preference"]).ci
    else:
        found = results[0][case.score].ci95
    if found is None:
        raise SystemExit(f"{case.score} has no interval")
    return found


def study(case: Case, folder: Path, rng: np.random.Generator) -> Sequence[Result]:
    """One study of a case, read from the files of its raters."""
    pair = case.question == "a-or-b"
    chosen = choose_trials(case.question, 2 if pair else 1, case.trials, 0, seed=0)
    described = tuple({"name": f"{place}.pt", "sha256": str(place) * 64} for place in range(2 if pair else 1))
    key = Key("0" * 16, case.question, 0, described, None if pair else {"name": "real", "sha256": "r" * 64}, chosen)
    raters, images = rng.standard_normal(case.raters), rng.standard_normal(len(chosen))
    real = case.real(raters[:, None], images[None])
    fake = case.fake(raters[:, None], images[None])
    paths = []
    for rater in range(case.raters):
        answers = []
        for place, trial in enumerate(chosen):
            chance = (real if trial.shown[0][0] == REAL else fake)[rater, place]
            yes = bool(rng.random() < chance)
            said = "left" if yes == (trial.shown[0][0] == "0") else "right"
            answer = said if pair else "real" if yes else "fake"
            answers.append({"trial": trial.id, "answer": answer, "milliseconds": 900})
        written = {"schema": "gandiag.answers/1", "study": key.study, "rater": f"r{rater}", "trials": answers}
        paths.append(folder / f"{rater}.json")
        paths[-1].write_text(json.dumps({**written, "key": key.to_dict()}), encoding="utf-8")
    return read_study(paths).results


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400, help="of each case (default %(default)s)")
    count = parser.parse_args().studies
    print("| case | raters | trials | score | truth | covered |\n| --- | ---: | ---: | --- | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(cases()):
            rng, inside = np.random.default_rng((1, number)), 0
            for _ in range(count):
                low, high = interval(case, study(case, Path(folder), rng))
                inside += low <= case.truth <= high
            row = f"| {case.name} | {case.raters} | {case.trials} | `{case.score}` | {case.truth:.3f}"
            print(f"{row} | {inside / count:.1%} |", flush=True)


if __name__ == "__main__":
    main()
