"""The kit's check of detectors tells each broken one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from signal_streams import after, stream

from gandiag.core.alert import Alert
from gandiag.monitor.detectors import DETECTORS
from gandiag.testing import check_detector


@dataclass(frozen=True)
class Limits:
    limit: float = 0.999


@dataclass
class Thawed:
    limit: float = 0.999


@dataclass(frozen=True)
class Bare:
    limit: float


def high(record, **changes):
    fields = {
        "kind": "high",
        "severity": "info",
        "step": record.step,
        "since_step": record.step,
        "message": "it is high",
        "evidence": {"auc": record.signals.get("auc", 0.5)},
        "advice": ("Check first.",),
    }
    return Alert(**{**fields, **changes})


class Good:
    """Alerts when the AUC becomes high."""

    def __init__(self, thresholds):
        self.limit, self.was = thresholds.limit, False

    def update(self, record):
        now = record.signals.get("auc", 0.0) > self.limit
        self.was, before = now, self.was
        return self.alert(record) if now and not before else None

    def alert(self, record):
        return high(record)

    def state_dict(self):
        return {"was": self.was}

    def load_state_dict(self, state):
        self.was = state["was"]


AUC = {"scores": (frozenset({"auc"}),)}


def made(thresholds=Limits, needs=AUC, **methods):
    body = type("Broken", (Good,), methods)
    return type("Type", (), {"thresholds": thresholds, "needs": needs, "__call__": lambda self, t: body(t)})()


COUNTER = itertools.count()


def counting(self, record):
    return high(record, message=f"it is high, number {next(COUNTER)}")


def hoarding(self, record):
    self.hoard = [*getattr(self, "hoard", []), record.step]
    return Good.update(self, record)


def test_a_good_one_passes():
    check_detector(made())


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        (made(thresholds=Thawed), "not frozen"),
        (made(thresholds=Bare), "limit has no default"),
        (made(thresholds=dict), "expected a dataclass"),
        (made(needs={}), "needs are"),
        (made(needs={"scores": ()}), "needs are"),
        (made(needs={"scores": ("auc",)}), "needs are"),
        (made(needs=(frozenset({"auc"}),)), "needs are"),
        (made(update=lambda self, record: high(record, evidence={"x": 1.0})), "not silent on an empty run"),
        (made(update=lambda self, record: high(record) if record.signals.get("auc") == 0.75 else None), "a quiet run"),
        (made(update=lambda self, record: 1 / record.signals["auc"] and None), "makes it raise KeyError"),
        (made(alert=counting), "one run gives two answers"),
        (made(load_state_dict=lambda self, state: None), "does not go on where it was cut"),
        (made(state_dict=lambda self: {"was": float(self.was) or float("nan")}), "strict JSON"),
        (
            made(update=hoarding, state_dict=lambda self: {"was": self.was, "hoard": getattr(self, "hoard", [])}),
            "grows",
        ),
        (made(alert=lambda self, record: high(record, message="two\nlines")), "not one line"),
        (made(alert=lambda self, record: high(record, evidence={})), "no evidence"),
        (made(alert=lambda self, record: high(record, evidence={"auc": float("nan")})), "strict JSON"),
        (made(alert=lambda self, record: high(record, advice=())), "no advice"),
        (made(alert=lambda self, record: high(record, since_step=record.step + 1)), "holds since"),
        (made(alert=lambda self, record: high(record, step=record.step + 50)), "says step"),
        (made(alert=lambda self, record: "high"), "expected an Alert"),
        (made(update=lambda self, record: record.signals.update(auc=0.5)), "changes the records"),
    ],
)
def test_a_broken_one_is_rejected(detector, message):
    with pytest.raises(AssertionError, match=message):
        check_detector(detector)


def test_a_failing_run_must_be_told():
    collapse = DETECTORS.load("mode_collapse")
    check_detector(collapse, failing=stream(change=after(1500, variance_ratio=0.01)))
    with pytest.raises(AssertionError, match="silent on the failing run"):
        check_detector(collapse, failing=stream())
