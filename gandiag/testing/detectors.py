"""What every detector must do."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gandiag.core.alert import SEVERITIES, Alert
from gandiag.core.signals import SIGNALS, Record
from gandiag.monitor.detectors._detector import Detector, DetectorType
from gandiag.testing._expect import expect

EVERY = 50
RECORDS = 120
# A run as quiet as a run can be; what is not named here is 0.
QUIET = {
    "generator_gradient_norm": 1.0,
    "generator_gradient_norm_max": 1.5,
    "generator_update_ratio": 0.1,
    "generator_loss": 0.9,
    "generator_learning_rate": 2e-4,
    "generator_parameters": 1e5,
    "discriminator_gradient_norm": 1.0,
    "discriminator_gradient_norm_max": 1.5,
    "discriminator_update_ratio": 0.1,
    "discriminator_loss": 1.2,
    "discriminator_learning_rate": 2e-4,
    "real_score": 0.5,
    "fake_score": -0.5,
    "score_magnitude": 3.0,
    "real_confidence": 0.6,
    "fake_confidence": 0.4,
    "auc": 0.75,
    "d_prime": 1.0,
    "loss_slope": 0.6,
    "discriminator_direction": 1.0,
    "generator_direction": 1.0,
    "variance_ratio": 0.9,
    "pairwise_distance_ratio": 0.95,
    "nearest_neighbour_ratio": 1.0,
    "coverage": 0.8,
    "vendi_ratio": 0.9,
    "held_out_score": 0.4,
    "held_out_auc": 0.52,
    "held_out_gap": 0.1,
    "loss_scale": 65536.0,
}


def check_detector(detector: DetectorType, *, failing: Iterable[Record] | None = None) -> None:
    """Check a detector on made-up runs: none at all, a quiet one, and wild ones of values of any size.

    Args:
        detector: what its module registers as DETECTOR.
        failing: records of a run on which it must raise an alert, if you have one.

    Raises:
        AssertionError: its thresholds are no frozen dataclass with a default for each field; it names no signals that
            it needs; it says something of an empty or a quiet run, or nothing of the failing one; it raises on wild
            values; an alert is not one line, not finite, without evidence or advice, or from the future; its state is
            no strict JSON, grows with the run, or does not go on where it was cut; one run gives two answers; a record
            is changed.
    """
    _check_declaration(detector)
    for what, quiet in (("an empty run", _empty()), ("a quiet run", _quiet())):
        alerts = [alert for alert in _alerts(_made(detector), quiet, what) if alert is not None]
        expect(not alerts, f"it is not silent on {what}: {[alert.message for alert in alerts][:1]}")
    runs = [_wild(seed) for seed in range(2)]
    if failing is not None:
        runs.append(list(failing))
        expect(any(_alerts(_made(detector), runs[-1], "the failing run")), "it is silent on the failing run")
    for records in runs:
        _check_run(detector, records)
    _check_size(detector)


def _made(detector: DetectorType) -> Detector:
    return detector(detector.thresholds())


def _check_declaration(detector: DetectorType) -> None:
    thresholds = detector.thresholds
    expect(dataclasses.is_dataclass(thresholds), f"thresholds are {thresholds!r}, expected a dataclass")
    for field in dataclasses.fields(thresholds):
        missing = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        expect(not missing, f"the threshold {field.name} has no default")
    frozen = getattr(thresholds, "__dataclass_params__").frozen  # noqa: B009 - typed as absent
    expect(bool(frozen), "the dataclass of thresholds is not frozen")
    needs = detector.needs
    named = isinstance(needs, Mapping) and bool(needs) and all(map(_are_needs, needs.values()))
    expect(named, f"needs are {needs!r}, expected what it looks at, to a tuple of frozensets of signals' names")


def _are_needs(needs: object) -> bool:
    return isinstance(needs, tuple) and bool(needs) and all(isinstance(need, frozenset) and need for need in needs)


def _alerts(detector: Detector, records: Iterable[Record], what: str) -> list[Alert | None]:
    alerts = []
    for record in records:
        before = dict(record.signals)
        try:
            alerts.append(detector.update(record))
        except Exception as error:
            raise AssertionError(f"{what} makes it raise {type(error).__name__}: {error}") from error
        expect(dict(record.signals) == before, "it changes the records that it is given")
    return alerts


def _check_run(detector: DetectorType, records: list[Record]) -> None:
    whole = _alerts(_made(detector), records, "a wild run")
    for alert, record in zip(whole, records, strict=True):
        if alert is not None:
            _check_alert(alert, record)
    expect(_alerts(_made(detector), records, "a wild run") == whole, "one run gives two answers")
    cut, alerts = _made(detector), []
    for record in records:
        saved = _json(cut.state_dict())
        cut = _made(detector)
        cut.load_state_dict(saved)
        alerts.append(cut.update(record))
    expect(alerts == whole, "restored from its state, it does not go on where it was cut")


def _check_alert(alert: Alert, record: Record) -> None:
    expect(isinstance(alert, Alert), f"it returns {type(alert).__name__}, expected an Alert or None")
    expect(alert.severity in SEVERITIES, f"the severity is {alert.severity!r}")
    expect(bool(alert.message) and alert.message.isprintable(), f"the message is not one line: {alert.message!r}")
    expect(bool(alert.evidence), "an alert has no evidence")
    expect(bool(alert.advice), "an alert has no advice")
    expect(alert.since_step <= alert.step, f"an alert of step {alert.step} holds since step {alert.since_step}")
    expect(alert.step == record.step, f"an alert of the record of step {record.step} says step {alert.step}")
    Alert.from_dict(_json(alert.to_dict()))


def _check_size(detector: DetectorType) -> None:
    detector_, sizes = _made(detector), []
    for part in range(3):
        _alerts(detector_, _wild(part, start=part * 4 * RECORDS, records=4 * RECORDS), "a long wild run")
        sizes.append(len(json.dumps(detector_.state_dict())))
    # The first third may fill what has a bound; after that it must not go on growing.
    expect(sizes[2] <= 1.2 * sizes[1] + 1000, f"its state grows with the run: {sizes} characters")


def _json(values: Any) -> Any:
    try:
        return json.loads(json.dumps(values, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"it cannot be written as strict JSON: {error}") from error


def _empty() -> Iterator[Record]:
    return (Record(step, step / 100) for step in range(EVERY, RECORDS * EVERY, EVERY))


def _quiet() -> Iterator[Record]:
    for step in range(EVERY, 10 * RECORDS * EVERY, EVERY):
        signals = {name: QUIET.get(name, 0.0) for name in SIGNALS}
        signals |= {"generator_steps": float(step), "discriminator_steps": float(step)}
        yield Record(step, step / 100, signals)


def _wild(seed: int, start: int = 0, records: int = RECORDS) -> list[Record]:
    """Values that stay as they are for a while and then jump anywhere, and signals that come and go."""
    rng = random.Random(seed)
    values: dict[str, float] = {}
    made, step = [], start * EVERY
    for _ in range(records):
        step += rng.choice((0, 10, EVERY, EVERY, EVERY, 10 * EVERY))
        for name in SIGNALS:
            if rng.random() < 0.03 or name not in values:
                values[name] = rng.choice(
                    (0.0, 1.0, rng.random(), 1e-30, 10 ** rng.uniform(-12, 30), -(10 ** rng.uniform(-3, 30)))
                )
        values |= {"generator_steps": float(step), "discriminator_steps": float(rng.choice((0, step)))}
        made.append(Record(step, step / 100, {name: value for name, value in values.items() if rng.random() > 0.05}))
    return made
