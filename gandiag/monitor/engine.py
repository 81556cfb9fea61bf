"""All detectors over one stream of records: live in a monitor, or replayed from a log, with the same alerts.

One fault raises several alerts: a generator without gradient lets the discriminator win, and its samples stay what
they are. A reader wants the cause. So the alerts of one record come in the order of `CAUSES`, cause before
consequence, and what is a usual consequence of a kind that fires, or did within the last 1000 steps, is told once, as
`info`, with its cause.

- A broken loop explains everything else: nothing can be concluded from a game that is not played. So does a NaN or
  infinite value. Neither explains the other away: both are certain.
- Gradients that explode throw the samples and the game about; gradients that vanish leave the generator where it is,
  and the discriminator wins, or is as dead.
- A discriminator that wins for good takes the samples' variety; one that overfits wins.
- Samples that are all alike have lost their modes, blind the discriminator or let it win, and the weights travel on.
- A discriminator that loses misleads the generator into going round.
- A fall or a cycle of the whole game takes modes along.
- A consequence is a consequence only where it comes with its cause or after it. What came first is told in full.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from gandiag.core.alert import KINDS, Alert, at_least
from gandiag.core.errors import InputError
from gandiag.core.signals import QUALITY, Record
from gandiag.monitor.detectors import DETECTORS
from gandiag.monitor.detectors._detector import Detector
from gandiag.monitor.players import Pair, pairs, plain_name, renamed
from gandiag.monitor.thresholds import Thresholds, settled

FOLLOWS = 1000  # steps within which an alert counts as a consequence of an earlier one
# Kind to its usual consequences; the order is that in which the alerts of one record are told. Outside kinds come last.
EVERYTHING = frozenset(KINDS) - {"broken_loop", "non_finite"}
CAUSES: dict[str, frozenset[str]] = {
    "broken_loop": EVERYTHING,
    "non_finite": EVERYTHING,
    "exploding_gradient": frozenset(
        {
            "vanishing_gradient",
            "mode_collapse",
            "mode_dropping",
            "overpowering_discriminator",
            "losing_discriminator",
            "non_convergence",
            "imbalance",
        }
    ),
    "vanishing_gradient": frozenset(
        {
            "overpowering_discriminator",
            "losing_discriminator",
            "mode_collapse",
            "mode_dropping",
            "non_convergence",
            "imbalance",
        }
    ),
    "discriminator_overfitting": frozenset({"overpowering_discriminator", "mode_dropping"}),
    "mode_collapse": frozenset(
        {"mode_dropping", "overpowering_discriminator", "losing_discriminator", "non_convergence", "imbalance"}
    ),
    "overpowering_discriminator": frozenset({"mode_collapse", "mode_dropping", "non_convergence", "imbalance"}),
    "losing_discriminator": frozenset({"mode_dropping", "non_convergence", "imbalance"}),
    "non_convergence": frozenset({"mode_dropping", "imbalance"}),
    "mode_dropping": frozenset(),
    "imbalance": frozenset(),
}
ORDER = {kind: place for place, kind in enumerate(CAUSES)}
STATE = 1


class Engine:
    """Every detector, once for each pair of players, over the records of a run.

    Args:
        thresholds: kind to field to value, in place of a detector's defaults; `{kind: False}` leaves one out.

    Raises:
        UnknownNameError: no such detector, or it has no such threshold.
        UsageError: a value is of the wrong kind or range.
    """

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        self._thresholds = settled(thresholds)
        self._types = {kind: DETECTORS.load(kind) for kind in self._thresholds}
        self._signals: set[str] = set()
        self._pairs: list[Pair] = []
        self._detectors: dict[str, dict[str, Detector]] = {}
        # Pair to kind to the step of its last alert that was no consequence, and to that of its last one of any sort.
        self._causes: dict[str, dict[str, int]] = {}
        self._told: dict[str, dict[str, int]] = {}

    def update(self, record: Record) -> list[Alert]:
        """Take the next record; the alerts that it raises, the cause before its consequences."""
        if not record.signals.keys() <= self._signals:
            self._signals |= record.signals.keys()
            self._pairs = pairs(self._signals)
        alerts = []
        for pair in self._pairs:
            if pair.label not in self._detectors:
                self._detectors[pair.label] = {kind: t(self._thresholds[kind]) for kind, t in self._types.items()}
                self._causes[pair.label], self._told[pair.label] = {}, {}
            alerts += self._of(pair, record)
        return sorted(alerts, key=_order)

    def inactive(self) -> dict[str, str]:
        """What is blind so far, to the signals that it lacks; that is not healthy.

        Names are kinds, or `kind (what a rule looks at)` where other rules of the kind see something.
        """
        seen = {plain_name(name) for name in self._signals}
        if any(name.startswith(QUALITY) for name in seen):
            seen.add(QUALITY)
        lacking = {}
        for kind, detector in self._types.items():
            missing = {what: [need - seen for need in needs] for what, needs in detector.needs.items()}
            blind = {what: needs for what, needs in missing.items() if all(needs)}
            if len(blind) == len(missing):
                blind = {"": [need for needs in blind.values() for need in needs]}
            for what, needs in blind.items():
                told = ", or ".join(" and ".join(map(_signal, sorted(need))) for need in _fewest(needs))
                lacking[f"{kind} ({what})" if what else kind] = f"needs {told}"
        return lacking

    def state_dict(self) -> dict[str, Any]:
        """All that the detectors remember, as plain JSON values."""
        return {
            "state": STATE,
            "signals": sorted(self._signals),
            "detectors": {
                label: {kind: detector.state_dict() for kind, detector in detectors.items()}
                for label, detectors in self._detectors.items()
            },
            "causes": {label: dict(steps) for label, steps in self._causes.items()},
            "told": {label: dict(steps) for label, steps in self._told.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken. A detector that was not there then begins anew.

        Raises:
            InputError: these are no values that `state_dict` gave.
        """
        fresh = Engine.__new__(Engine)
        fresh._thresholds, fresh._types = self._thresholds, self._types
        try:
            if state["state"] != STATE:
                raise ValueError(f"version {state['state']}, expected {STATE}")
            fresh._signals = {str(name) for name in state["signals"]}
            fresh._pairs = pairs(fresh._signals) if fresh._signals else []
            fresh._detectors = {}
            for label, saved in state["detectors"].items():
                detectors = {kind: t(self._thresholds[kind]) for kind, t in self._types.items()}
                for kind, detector in detectors.items():
                    if kind in saved:
                        detector.load_state_dict(saved[kind])
                fresh._detectors[label] = detectors
            fresh._causes = {label: dict(steps) for label, steps in state["causes"].items()}
            fresh._told = {label: dict(steps) for label, steps in state["told"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise InputError(f"this is no state of the monitor's engine: {error!r}; start without it") from error
        self.__dict__.update(fresh.__dict__)

    def _of(self, pair: Pair, record: Record) -> list[Alert]:
        """One pair's alerts; a consequence beside its cause, or soon after it, becomes `info`."""
        view, names = pair.view(record)
        raised = [alert for detector in self._detectors[pair.label].values() if (alert := detector.update(view))]
        causes, told, alerts = self._causes[pair.label], self._told[pair.label], []
        for alert in sorted(raised, key=_order):
            cause = self._cause(pair, alert)
            if cause is not None:
                if told.get(alert.kind, -1) >= causes[cause]:
                    continue  # it was told since; that it became worse is no news
                message = f"{alert.message} (a usual consequence of the {cause} of step {causes[cause]})"
                alert = dataclasses.replace(alert, severity="info", message=message)
            elif at_least(alert.severity, "warning"):
                causes[alert.kind] = alert.step
            told[alert.kind] = alert.step
            if pair.label:
                message = f"{pair.label}: {alert.message}"
                alert = dataclasses.replace(alert, message=message, evidence=renamed(alert.evidence, names))
            alerts.append(alert)
        return alerts

    def _cause(self, pair: Pair, alert: Alert) -> str | None:
        """The kind that explains the alert: the first one that fires, or did a short time ago."""
        for kind, step in sorted(self._causes[pair.label].items(), key=lambda item: ORDER.get(item[0], len(ORDER))):
            if alert.kind not in CAUSES.get(kind, frozenset()):
                continue
            firing = getattr(self._detectors[pair.label].get(kind), "firing", None)
            if step <= alert.step and (firing is not None or alert.step - step <= FOLLOWS):
                return kind
        return None


def _order(alert: Alert) -> tuple[int, int, str]:
    """What was told in full before what follows from it, cause before consequence."""
    return (not at_least(alert.severity, "warning"), ORDER.get(alert.kind, len(ORDER)), alert.kind)


def _fewest(missing: list[frozenset[str]]) -> list[frozenset[str]]:
    """The ways to make a rule work, the shortest first; three of them say enough."""
    least = {need for need in missing if not any(other < need for other in missing)}
    return sorted(least, key=lambda need: (len(need), sorted(need)))[:3]


def _signal(name: str) -> str:
    return f"{QUALITY}*" if name == QUALITY else name
