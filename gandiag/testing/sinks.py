"""What every sink must do."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from functools import partial

from gandiag.core.alert import SEVERITIES, Alert
from gandiag.core.signals import SIGNALS, Record
from gandiag.monitor.sinks import PARTS, Sink
from gandiag.testing._expect import expect

LONGEST_WAIT = 5.0  # seconds for one call; the first may load a package


def check_sink(make: Callable[[], Sink]) -> None:
    """Check a sink with what a monitor may hand over: many signals, none, extreme values, players, odd texts.

    Args:
        make: opens it; called twice, and both are used side by side, as by two monitors.

    Raises:
        AssertionError: it lacks a method, raises, prints to stdout, changes what it was given, makes the training wait
            for more than 5 seconds, or cannot be closed twice.
    """
    sinks = [make(), make()]
    for sink in sinks:
        expect(isinstance(sink, Sink), f"{type(sink).__name__} is no Sink: it lacks one of {PARTS}")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for record in _records():
            before = dict(record.signals)
            for sink in sinks:
                _call("record", partial(sink.record, record))
            expect(dict(record.signals) == before, "it changes the record")
        for sink in sinks:
            for alert in _alerts():
                _call("alert", partial(sink.alert, alert))
            _call("note", partial(sink.note, 300, "a rule has no signals\x1b[2J"))
        for sink in sinks:
            _call("close", sink.close)
            _call("close, called twice,", sink.close)
    expect(not printed.getvalue(), f"it prints to stdout, which is for data: {printed.getvalue()[:80]!r}")


def _records() -> list[Record]:
    values = [0.0, -0.0, 1.0, -1.5, 1e-300, 1e300, 12345678.0, 0.1]
    everything = {name: values[place % len(values)] for place, name in enumerate(SIGNALS)}
    return [
        Record(0, 0.0),
        Record(50, 0.5, everything),
        Record(100, 1.0, {"generator_loss@A": 1.0, "generator_loss@B": 2.0, "quality_kid": 0.01}),
        Record(10**9, 1e7, {"auc": 0.5}),
    ]


def _alerts() -> list[Alert]:
    plain = [Alert("mode_collapse", severity, 100, 50, "the fakes are all alike") for severity in SEVERITIES]
    evidence = {"variance_ratio": 1e-9, "auc": 1.0}
    odd = Alert(
        "an_outside_kind_" + "x" * 80, "warning", 200, 150, "ünïcödé \x1b[31m\n" + "w" * 5000, evidence, ("a", "b")
    )
    return [*plain, odd]


def _call(what: str, call: Callable[[], None]) -> None:
    begin = time.monotonic()
    try:
        call()
    except Exception as error:
        raise AssertionError(f"{what} raises {type(error).__name__}: {error}") from error
    seconds = time.monotonic() - begin
    expect(seconds <= LONGEST_WAIT, f"{what} makes the training wait for {seconds:.1f} s")
