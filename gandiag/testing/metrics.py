"""What every metric must do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.errors import GandiagError, InputError
from gandiag.core.modes import ClassModes, MixtureModes, Modes
from gandiag.core.score import Score
from gandiag.metrics._metric import HEADS, Metric
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.grouped_moments import grouped_moments
from gandiag.testing._expect import expect

DIMENSION = 6
CLASSES = 5
SIZE = 32
SPLITTING = ("splits", "subsets", "groups")  # params of a score that depends on which samples fall together
TOLERANCE = 1e-6

Banks = tuple[FeatureBank, FeatureBank]


def check_metric(metric: Metric) -> None:
    """Check a metric on small synthetic banks, which hold the heads that it asks for and nothing else.

    Raises:
        AssertionError: it does not return exactly its declared scores (mixtures may add some); one seed gives two
            answers; the order of the rows matters, beyond one standard error for scores that split their samples
            (`splits` or `subsets` in their params, or a value that depends on the seed); constant or too few samples
            raise, or too few give a value; a score cannot be written as JSON, contradicts its declared direction, or
            has neither an error bar nor the reason; features of two widths are accepted; the banks are changed.
    """
    count = max(120, 4 * metric.minimum_samples)
    expect(bool(metric.scores), "the metric declares no scores")
    expect(metric.heads <= HEADS.keys(), f"unknown heads {sorted(metric.heads - HEADS.keys())}")
    banks = _banks(metric, count)
    scores = _compute(metric, banks, "random samples")
    expect(set(scores) == set(metric.scores), f"it returns {sorted(scores)} but declares {sorted(metric.scores)}")
    _check_scores(metric, scores, banks)
    expect(any(score.status != "undefined" for score in scores.values()), f"{count} samples give it no value at all")
    _check_repeats(metric, scores, banks)
    _check_order(metric, scores, banks)
    _check_constant(metric, count)
    _check_too_few(metric)
    _check_widths(metric, count)
    if metric.needs_modes:
        _check_mixture(metric, count)


def _compute(metric: Metric, banks: Banks, what: str, seed: int = 0) -> dict[str, Score]:
    real, fake = banks
    try:
        scores = metric.compute(real=real, fake=fake, rng=seeds.generator(seed, "conformance"))
    except Exception as error:
        raise AssertionError(f"{what} make it raise {type(error).__name__}: {error}") from error
    expect(isinstance(scores, dict), f"it returns {type(scores).__name__}, expected a dict of scores")
    for name, score in scores.items():
        expect(isinstance(score, Score), f"{name} is {type(score).__name__}, expected a Score")
    return scores


def _check_scores(metric: Metric, scores: dict[str, Score], banks: Banks) -> None:
    for name, score in scores.items():
        try:
            json.dumps(dataclasses.asdict(score), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise AssertionError(f"{name} cannot be written as strict JSON: {error}") from error
        if name in metric.scores:
            declared = metric.scores[name]
            expect(score.better == declared, f"{name} says that {score.better} is better, the metric {declared}")
        expect(score.n_fake == len(banks[1]), f"{name} says n_fake {score.n_fake} of {len(banks[1])} samples")
        n_real = len(banks[0]) if _tensors((banks[0],)) else None
        expect(score.n_real in (None, n_real), f"{name} says n_real {score.n_real} of {n_real} samples")
        if score.status == "undefined":
            expect(bool(score.reason), f"{name} is undefined without a reason")
            continue
        if score.stderr is None:
            named = bool(score.error_method) and str(score.error_method).startswith("none")
            expect(named, f"{name} has no error bar, and error_method does not say why ('none: ...')")
            continue
        expect(bool(score.error_method), f"{name} has an error bar without a method")
        expect(score.stderr >= 0, f"{name} has a negative standard error")
        expect(score.ci95 is not None and score.ci95[0] <= score.ci95[1], f"{name} has no interval: {score.ci95}")


def _check_repeats(metric: Metric, scores: dict[str, Score], banks: Banks) -> None:
    before = [values.clone() for values in _tensors(banks)]
    again = _compute(metric, banks, "the same samples")
    unchanged = all(torch.equal(one, other) for one, other in zip(before, _tensors(banks), strict=True))
    expect(unchanged, "it changes the banks that it is given")
    expect(again == scores, "the same samples and seed give two answers")


def _check_order(metric: Metric, scores: dict[str, Score], banks: Banks) -> None:
    sorted_banks = (_reordered(banks[0]), _reordered(banks[1]))
    sorted_scores = _compute(metric, sorted_banks, "sorted samples")
    other_seed = _compute(metric, banks, "another seed", seed=1)
    for name, score in scores.items():
        if score.value is None:
            continue
        moved = abs((sorted_scores[name].value or 0.0) - score.value)
        splits = other_seed[name].value != score.value or any(name in score.params for name in SPLITTING)
        allowed = TOLERANCE * max(1.0, abs(score.value)) + (score.stderr or 0.0) * splits
        expect(moved <= allowed, f"{name} moves by {moved:.3g} when the samples are sorted, {allowed:.3g} is allowed")


def _check_constant(metric: Metric, count: int) -> None:
    constant = _banks(metric, count, lambda shape: torch.ones(shape))
    scores = _compute(metric, constant, "constant samples")
    expect(set(scores) == set(metric.scores), f"for constant samples it returns {sorted(scores)}")
    _check_scores(metric, scores, constant)


def _check_too_few(metric: Metric) -> None:
    few = metric.minimum_samples - 1
    if few < 0:
        return
    banks = _banks(metric, few)
    scores = _compute(metric, banks, f"{few} samples")
    expect(set(scores) == set(metric.scores), f"for {few} samples it returns {sorted(scores)}")
    _check_scores(metric, scores, banks)
    for name, score in scores.items():
        message = f"{name} is {score.value} for {few} samples, but minimum_samples is {metric.minimum_samples}"
        expect(score.status == "undefined", message)
    enough = _compute(metric, _banks(metric, metric.minimum_samples), f"{metric.minimum_samples} samples")
    valued = any(score.status != "undefined" for score in enough.values())
    expect(valued, f"minimum_samples is {metric.minimum_samples}, but so many give no value")


def _check_widths(metric: Metric, count: int) -> None:
    if not {"features", "moments"} & _real_heads(metric) & metric.heads:
        return
    real, fake = _banks(metric, count)
    features = _fields(fake)["features"][:, 1:]
    narrow = replace(
        fake,
        features=None if fake.features is None else features,
        moments=None if fake.moments is None else grouped_moments(features),
    )
    try:
        metric.compute(real=real, fake=narrow, rng=seeds.generator(0, "conformance"))
    except InputError:
        return
    except Exception as error:
        message = f"features of two widths raise {type(error).__name__}, expected InputError"
        raise AssertionError(message) from error
    raise AssertionError("features of two widths are accepted")


def _check_mixture(metric: Metric, count: int) -> None:
    modes = MixtureModes(np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]), 0.5)
    centres = torch.from_numpy(modes.centres).float().repeat(count, 1)[:count]
    noise = torch.from_numpy(seeds.normal(0, "conformance/mixture", 0, count, 2)).float()
    bank = FeatureBank(features=centres + 0.5 * noise, modes=modes)
    try:
        metric.compute(real=bank, fake=bank, rng=seeds.generator(0, "conformance"))
    except GandiagError:
        return  # for class modes only, and says so
    except Exception as error:
        raise AssertionError(f"a mixture makes it raise {type(error).__name__}: {error}") from error
    scores = _compute(metric, (bank, bank), "a mixture")
    expect(set(scores) >= set(metric.scores), f"for a mixture it returns only {sorted(scores)}")
    _check_scores(metric, scores, (bank, bank))


def _banks(metric: Metric, count: int, draw: Callable[[tuple[int, ...]], Tensor] | None = None) -> Banks:
    """Real and fake samples of the same scale around means that differ a little."""
    modes = ClassModes(np.full(CLASSES, 1 / CLASSES), channels=1) if metric.needs_modes else None

    def bank(side: str, heads: frozenset[str], shift: float, modes: Modes | None) -> FeatureBank:
        def values(head: str, *shape: int) -> Tensor:
            if draw is not None:
                return draw((count, *shape))
            drawn = seeds.normal(0, f"conformance/{side}/{head}", 0, count, int(np.prod(shape)))
            return torch.from_numpy(drawn).float().reshape(count, *shape) + shift

        features = values("features", DIMENSION) if heads & {"features", "moments"} else None

        def pixels(head: str) -> Tensor | None:
            found = 128 + 40 * values(head, 3, SIZE, SIZE) if head in heads else None
            return None if found is None else found.round().clamp(0, 255).byte()

        return FeatureBank(
            features=features if "features" in heads else None,
            logits=3 * values("logits", 1, CLASSES) if "logits" in heads else None,
            moments=None if features is None or "moments" not in heads else grouped_moments(features),
            spatial_moments=grouped_moments(values("spatial", DIMENSION)) if "spatial_moments" in heads else None,
            images=pixels("images"),
            labels=torch.arange(count) % CLASSES if "labels" in heads else None,
            paths=values("paths").square() if "paths" in heads else None,
            inputs=pixels("inputs"),
            targets=pixels("targets"),
            cycled=pixels("cycled"),
            modes=modes,
        )

    real_heads = _real_heads(metric)
    real = bank("real", real_heads, 0.0, modes)
    if metric.needs_held_out:
        real = real.with_held_out(bank("held out", real_heads, 0.0, None))
    return real, bank("fake", metric.heads, 0.25, None)


def _real_heads(metric: Metric) -> frozenset[str]:
    return metric.heads if metric.real_heads is None else metric.real_heads


def _tensors(banks: Iterable[FeatureBank]) -> list[Tensor]:
    return [values for bank in banks for values in _fields(bank).values()]


def _fields(bank: FeatureBank) -> dict[str, Tensor]:
    """What holds a row for each sample."""
    fields = {
        "features": bank.features if bank.features is not None or bank.moments is None else bank.moments.rows,
        "logits": bank.logits,
        "spatial": None if bank.spatial_moments is None else bank.spatial_moments.rows,
        "images": bank.images,
        "labels": bank.labels,
        "paths": bank.paths,
        "inputs": bank.inputs,
        "targets": bank.targets,
        "cycled": bank.cycled,
    }
    return {name: values for name, values in fields.items() if isinstance(values, Tensor)}


def _reordered(bank: FeatureBank) -> FeatureBank:
    """The same samples, sorted by their first number: a prefix is then no fair sample."""
    fields = _fields(bank)
    if not fields:
        return bank
    order = next(iter(fields.values())).flatten(1 if next(iter(fields.values())).ndim > 1 else 0)
    order = (order[:, 0] if order.ndim > 1 else order).argsort()
    chosen = {name: values[order] for name, values in fields.items()}
    return FeatureBank(
        features=None if bank.features is None else chosen["features"],
        logits=chosen.get("logits"),
        moments=None if bank.moments is None else grouped_moments(chosen["features"]),
        spatial_moments=None if bank.spatial_moments is None else grouped_moments(chosen["spatial"]),
        images=chosen.get("images"),
        labels=chosen.get("labels"),
        paths=chosen.get("paths"),
        inputs=chosen.get("inputs"),
        targets=chosen.get("targets"),
        cycled=chosen.get("cycled"),
        modes=bank.modes,
        held_out=bank.held_out,
    )
