"""Made-up runs as streams of records, with the figures that the research measured on real ones."""

from __future__ import annotations

import math
import random

from gandiag.core.signals import Record


def noisy(rng, value, share=0.1):
    return value * (1 + share * rng.uniform(-1, 1))


def healthy(step, rng):
    """A run as the pilot saw it: gradients rise early, the variance settles, the losses go up and down."""
    rise = min(1.0, step / 1500)
    swing = math.sin(step / 130)
    return {
        "generator_steps": float(step),
        "discriminator_steps": float(step),
        "generator_parameters": 20000.0,
        "generator_gradient_norm": noisy(rng, 0.5 + 3 * rise),
        "discriminator_gradient_norm": noisy(rng, 2.0),
        "generator_gradient_zero": 0.0,
        "discriminator_gradient_zero": 0.0,
        "generator_update_ratio": noisy(rng, 0.12),
        "discriminator_update_ratio": noisy(rng, 0.15),
        "generator_learning_rate": 2e-4,
        "discriminator_learning_rate": 2e-4,
        "generator_loss": 1.0 + 0.3 * swing + 0.05 * rng.uniform(-1, 1),
        "discriminator_loss": 1.2 - 0.2 * swing + 0.05 * rng.uniform(-1, 1),
        "real_score": 0.6 + 0.2 * swing + 0.1 * rng.uniform(-1, 1),
        "fake_score": -0.6 - 0.2 * swing + 0.1 * rng.uniform(-1, 1),
        "score_magnitude": noisy(rng, 4.0),
        "real_confidence": 0.62,
        "fake_confidence": 0.38,
        "auc": 0.8 + 0.1 * swing + 0.03 * rng.uniform(-1, 1),
        "d_prime": 1.2,
        "loss_slope": noisy(rng, 0.6),
        "variance_ratio": noisy(rng, 0.05 + 0.85 * min(1.0, step / 500), 0.2),
        "pairwise_distance_ratio": noisy(rng, 0.9),
        "nearest_neighbour_ratio": noisy(rng, 1.1),
        "coverage": noisy(rng, 0.5 * rise, 0.4),
        "vendi_ratio": noisy(rng, 0.75, 0.2),
        "held_out_auc": noisy(rng, 0.55),
        "held_out_gap": noisy(rng, 0.15),
    }


def stream(*, steps=4000, every=50, seed=0, change=None, only=None, signals=healthy):
    """Records of a run.

    Args:
        steps: of the run.
        every: steps between records.
        seed: of the noise.
        change: takes a step and its signals, and returns what differs; a value of None takes a signal away.
        only: names of the signals that are logged, or None for all.
        signals: of a step, before the change.
    """
    rng = random.Random(seed)
    records = []
    for step in range(every, steps + 1, every):
        values = signals(step, rng)
        if change is not None:
            values.update(change(step, dict(values)))
        kept = {name: float(v) for name, v in values.items() if v is not None and (only is None or name in only)}
        records.append(Record(step, step / 100, kept))
    return records


def run(engine, records):
    """All alerts over the records."""
    return [alert for record in records for alert in engine.update(record)]


def alarms(alerts):
    """The kinds of the alerts that are no mere information, in order, each once."""
    return list(dict.fromkeys(alert.kind for alert in alerts if alert.severity != "info"))


def after(start, **values):
    """A change from a step on."""
    return lambda step, signals: values if step > start else {}


def from_the_start(**values):
    return after(0, **values)
