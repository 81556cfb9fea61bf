"""A self-test: every metric is fed sets whose scores theory knows, and must react as its theory says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from gandiag.core import seeds
from gandiag.core.errors import GandiagError, InputError
from gandiag.core.protocols import Progress, ProgressCallback
from gandiag.core.score import Score
from gandiag.datasets import load_dataset
from gandiag.evaluation.extract import Task, extract
from gandiag.evaluation.finding import Finding
from gandiag.evaluation.known_sets import (
    NAMES,
    SAMPLES,
    KnownSets,
    class_count,
    digit_extractor,
    digit_source,
    known_sets,
)
from gandiag.evaluation.theory import Expectation, Facts, Seen, expectations, reacts, undeclared
from gandiag.metrics import METRICS
from gandiag.metrics._metric import Metric, configured
from gandiag.statistics.feature_bank import FeatureBank, features_of

TOPIC = "self-test"
REPORT = "do not trust this metric here; install its package again, or report it with `gandiag doctor --json -`"
# What is slow at its defaults and reacts as well with less.
SETTINGS = {"cas": {"trainings": 2, "steps": 60}, "swd": {"patches": 32, "splits": 4}}
# Random123's known answer: what Philox4x64 gives for counter 0 and key 0.
PHILOX = (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)
SEEDED = (0, "doctor", 6772447747882383152)  # `seeds.integer` of a seed and a stream, the same everywhere
TOLERANCE = 1e-5  # of features between two batch sizes


def self_test(progress: ProgressCallback | None = None, metrics: Sequence[str] | None = None) -> list[Finding]:
    """A finding for each thing that every score rests on, and one for each metric.

    Args:
        progress: told as the work goes on.
        metrics: registered names; every one by default.
    """
    names = METRICS.names() if metrics is None else list(metrics)
    total, done = len(BASICS) + len(NAMES) + 2 + len(names), 0

    def advance(note: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(Progress(TOPIC, done, total, note))

    if progress is not None:
        progress(Progress(TOPIC, 0, total))
    found = []
    for name, check in BASICS.items():
        found.append(_basic(name, check))
        advance(name)
    try:
        sets = known_sets(advance)
    except Exception as error:  # whatever is broken here, doctor says it and goes on
        return [*found, _failed("known sets", _line(error), "reinstall gandiag")]
    facts = Facts(class_count(sets), SAMPLES, features_of(sets.real).shape[1], sets.share_left)
    table = expectations(facts)
    for name in names:
        found.append(_metric(name, sets, table))
        advance(name)
    return found


def _metric(name: str, sets: KnownSets, table: Mapping[str, tuple[Expectation, ...]]) -> Finding:
    try:
        metric = METRICS.load(name)
        if name in SETTINGS:
            metric = configured(metric, SETTINGS[name])
        scores = {each: _compute(metric, name, sets.real, fake) for each, fake in sets.fakes.items()}
        wrong, checked = _compare(metric, scores, table)
    except Exception as error:  # a metric of somebody else's may fail in any way
        return _failed(name, _line(error), REPORT)
    if wrong:
        return _failed(name, f"{wrong[0]} ({len(wrong)} of {checked} reactions are wrong)", REPORT)
    if not checked:
        return Finding(TOPIC, name, "note", "declares no direction, and the self-test has no theory of it")
    return Finding(TOPIC, name, "ok", f"{checked} reactions as its theory says: {', '.join(metric.scores)}")


def _compute(metric: Metric, name: str, real: FeatureBank, fake: FeatureBank) -> dict[str, Score]:
    real_heads = metric.heads if metric.real_heads is None else metric.real_heads
    side = _with_heads(real, real_heads)
    if metric.needs_held_out and real.held_out is not None:
        side = side.with_held_out(_with_heads(real.held_out, real_heads))
    rng = seeds.generator(0, "metric", name)
    return metric.compute(
        real=replace(side, modes=real.modes if metric.needs_modes else None),
        fake=_with_heads(fake, metric.heads),
        rng=rng,
    )


def _with_heads(bank: FeatureBank, heads: frozenset[str]) -> FeatureBank:
    """What a metric asked for and nothing else, as in a score: what it forgot to declare shows."""
    # A metric of images looks at their labels too, where there are any, and one of targets at the inputs.
    kept = heads | ({"labels"} if "images" in heads else set()) | ({"inputs"} if "targets" in heads else set())
    return FeatureBank(**{head: getattr(bank, head) for head in kept})


def _compare(
    metric: Metric, scores: Mapping[str, Mapping[str, Score]], table: Mapping[str, tuple[Expectation, ...]]
) -> tuple[list[str], int]:
    """What does not hold, and how many relations there were. `scores` are by set and by name."""
    wrong: list[str] = []
    checked = 0
    of_score = {name: {each: scores[each][name] for each in scores} for name in metric.scores}
    relations = {name: table[name] for name in metric.scores if name in table}
    if unknown := {name: better for name, better in metric.scores.items() if name not in table}:
        relations |= undeclared(unknown)
    for name, expected in relations.items():
        declared = metric.scores[name]
        if any(score.better != declared for score in of_score[name].values()):
            wrong.append(f"{name} declares {declared} as better, and its score says otherwise")
        for expectation in expected:
            checked += 1
            if fault := _fault(name, expectation, of_score[name]):
                wrong.append(fault)
    judged = [name for name, better in unknown.items() if better is not None]
    if judged and len(unknown) == len(metric.scores):
        checked += 1
        if not any(reacts(of_score[name]) for name in judged):
            wrong.append(
                f"{', '.join(judged)}: neither the shifted nor the collapsed set is worse than the fresh one; "
                f"{_shown(of_score[judged[0]], ('fresh', 'shifted', 'collapsed'))}"
            )
    return wrong, checked


def _fault(name: str, expectation: Expectation, seen: Seen) -> str | None:
    """Why the expectation does not hold, or None."""
    for each in expectation.sets:
        if seen[each].value is None:
            return f"{name} is undefined for the {each} set: {seen[each].reason}"
    if expectation.holds(seen):
        return None
    return f"{name}: expected {expectation.says}; found {_shown(seen, expectation.sets)}"


def _shown(seen: Seen, names: Sequence[str]) -> str:
    parts = []
    for name in names:
        score = seen[name]
        error = "" if score.stderr is None else f" +- {score.stderr:.2g}"
        parts.append(f"{name} undefined" if score.value is None else f"{name} {score.value:.4g}{error}")
    return ", ".join(parts)


def _basic(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(TOPIC, name, "ok", check())
    except Exception as error:  # whatever is broken, doctor says it and goes on
        return _failed(name, _line(error), "reinstall gandiag and its dependencies")


def _seeds() -> str:
    """Seeds give the documented numbers."""
    last = np.uint64(2**64 - 1)
    # NumPy counts up before it draws: from the last counter it comes to 0.
    drawn = np.random.Philox(counter=np.full(4, last), key=np.zeros(2, dtype=np.uint64)).random_raw(4)
    _check(tuple(map(int, drawn)) == PHILOX, f"Philox gives {drawn[0]:#x} for counter 0 and key 0, not {PHILOX[0]:#x}")
    seed, stream, expected = SEEDED
    found = seeds.integer(seed, stream)
    _check(found == expected, f"seed {seed} gives {found} for the stream {stream!r}, not {expected}")
    return "give the documented numbers, the same on every machine"


def _batch_sizes() -> str:
    """The batch size does not change what an extractor finds."""
    dataset = load_dataset("mnist")
    source = digit_source("digits", dataset.read(0, 128), torch.zeros(128, dtype=torch.int64))
    tasks = {"digits": Task(digit_extractor(), {"features": 128})}
    whole, parts = (features_of(extract(source, tasks, 128, batch_size=size)["digits"]) for size in (128, 37))
    difference = float((whole - parts).norm() / whole.norm())
    _check(difference <= TOLERANCE, f"features differ by {difference:.2g} between batches of 128 and of 37")
    agreement = f"agree to {difference:.0e}" if difference else "are the same"
    return f"features of batches of 128 and of 37 {agreement}"


def _refusals() -> str:
    """What has no distribution to score is refused."""
    constant = digit_source("constant", torch.zeros(8, 1, 28, 28, dtype=torch.uint8), torch.zeros(8, dtype=torch.int64))
    tasks = {"digits": Task(digit_extractor(), {"features": 8})}
    _check(_refused(lambda: extract(constant, tasks, 8)), "a constant output is scored as if it were a distribution")
    _check(_refused(lambda: FeatureBank(features=torch.full((8, 2), torch.nan))), "features that are NaN are taken")
    return "a constant output and values that are not finite are refused"


BASICS: dict[str, Callable[[], str]] = {"seeds": _seeds, "batch sizes": _batch_sizes, "bad samples": _refusals}


def _refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except InputError:
        return True
    return False


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise _BrokenError(otherwise)


class _BrokenError(GandiagError):
    """A basic thing that does not hold; its text is the finding."""


def _failed(name: str, text: str, remedy: str) -> Finding:
    return Finding(TOPIC, name, "failed", text, remedy)


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, _BrokenError) else f"{type(error).__name__}: {text}".rstrip(": ")
