"""The policy of a gate: what a Result must fulfil, read from TOML and checked whole before anything is computed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from gandiag.core.alert import KINDS, SEVERITIES, Severity
from gandiag.core.errors import GandiagError, InputError, UnknownNameError, UsageError, shown, suggestion
from gandiag.core.files import read_bounded
from gandiag.core.toml import MOST_BYTES, parse_toml
from gandiag.gates import known

OnInconclusive = Literal["inconclusive", "fail", "warn", "pass"]
TOP_KEYS = ("against", "samples", "confidence", "extractor", "on_inconclusive", "gate")
GATE_KEYS = {
    "metric": ("metric", "extractor", "min", "max", "max_regression", "on_inconclusive"),
    "alert": ("alert", "max_count", "severity", "on_inconclusive"),
    "missing_modes": ("missing_modes", "extractor", "on_inconclusive"),
}
ANY_ALERT = "any"


@dataclass(frozen=True)
class LimitGate:
    """A score must lie between two limits.

    Attributes:
        metric: the score's name.
        extractor: whose features it comes from; None for the one that it was scored with.
        minimum, maximum: the limits, both inside; None for none.
        on_inconclusive: what it means where the interval holds a limit.
    """

    metric: str
    extractor: str | None
    minimum: float | None
    maximum: float | None
    on_inconclusive: OnInconclusive

    @property
    def title(self) -> str:
        parts = [
            f"{sign} {limit:g}" for sign, limit in ((">=", self.minimum), ("<=", self.maximum)) if limit is not None
        ]
        return f"{score_key(self.metric, self.extractor)} {' and '.join(parts)}"


@dataclass(frozen=True)
class RegressionGate:
    """A score must not be worse than the baseline's by more than an allowance.

    Attributes:
        metric, extractor: as of a limit.
        allowed: how much worse it may be, 0 or more.
        relative: whether `allowed` is a share of the baseline's value.
        on_inconclusive: what it means where the interval of the difference holds the allowance.
    """

    metric: str
    extractor: str | None
    allowed: float
    relative: bool
    on_inconclusive: OnInconclusive

    @property
    def title(self) -> str:
        allowed = f"{self.allowed * 100:g}%" if self.relative else f"{self.allowed:g}"
        return f"{score_key(self.metric, self.extractor)} at most {allowed} worse than the baseline"


@dataclass(frozen=True)
class MissingModesGate:
    """At most so many modes of the reference may be missing.

    Attributes:
        maximum: of missing modes.
        extractor, on_inconclusive: as of a limit.
    """

    maximum: int
    extractor: str | None
    on_inconclusive: OnInconclusive

    @property
    def title(self) -> str:
        return f"{score_key('missing modes', self.extractor)} <= {self.maximum}"


@dataclass(frozen=True)
class AlertGate:
    """At most so many alerts of a kind may be in the run log.

    Attributes:
        alert: the kind, or `any`.
        maximum: of alerts.
        severity: the least one that counts.
        on_inconclusive: what it means where nobody looked for such alerts.
    """

    alert: str
    maximum: int
    severity: Severity
    on_inconclusive: OnInconclusive = "inconclusive"

    @property
    def title(self) -> str:
        kind = "alerts" if self.alert == ANY_ALERT else f"{self.alert} alerts"
        at_least = "" if self.severity == SEVERITIES[0] else f" of {self.severity} or worse"
        return f"{kind}{at_least} <= {self.maximum}"


ScoreGate = LimitGate | RegressionGate | MissingModesGate
Gate = ScoreGate | AlertGate


@dataclass(frozen=True)
class Policy:
    """What a Result must fulfil.

    Attributes:
        gates: all of them must pass.
        confidence: of the intervals that decide, between 0.5 and 1.
        against: the reference to score against; None to leave it open.
        samples: that a Result must have at least, and that a source is scored with; None to leave it open.
        extractor: of the scores whose gate names none; None for the reference's own.
        name: of the file that it was read from.
    """

    gates: tuple[Gate, ...]
    confidence: float = 0.95
    against: str | None = None
    samples: int | None = None
    extractor: str | None = None
    name: str = "policy"

    @staticmethod
    def load(path: str | os.PathLike[str], known_scores: Iterable[str] = ()) -> Policy:
        """Read a policy from a TOML file.

        Args:
            path: the file.
            known_scores: names of scores that may be used beside those of the registered metrics, as a Result holds.

        Raises:
            InputError: the file cannot be read, or is no policy; the message says which key of which gate.
        """
        try:
            content = read_bounded(path, MOST_BYTES)
        except OSError as error:
            raise InputError(f"cannot read the policy {shown(path)}: {error.strerror or error}") from error
        try:
            return Policy.from_toml(content.decode("utf-8"), known_scores, name=Path(path).name)
        except UnicodeDecodeError as error:
            raise InputError(f"the policy {shown(path)} is not UTF-8 text, expected TOML") from error
        except GandiagError as error:
            raise InputError(f"the policy {shown(path)}: {error}") from error

    @staticmethod
    def from_toml(text: str, known_scores: Iterable[str] = (), *, name: str = "policy") -> Policy:
        """The policy that a TOML text holds.

        Raises:
            GandiagError: it holds none; the message says which key of which gate.
        """
        try:
            document = parse_toml(text)
        except ValueError as error:
            raise InputError(f"not TOML: {error}") from error
        return _policy(document, frozenset(known_scores), name)

    @property
    def score_gates(self) -> tuple[ScoreGate, ...]:
        """The gates that look at scores."""
        return tuple(gate for gate in self.gates if not isinstance(gate, AlertGate))

    @property
    def alert_gates(self) -> tuple[AlertGate, ...]:
        """The gates that look at a run log."""
        return tuple(gate for gate in self.gates if isinstance(gate, AlertGate))

    @property
    def needs_baseline(self) -> bool:
        """Whether a gate compares with a baseline."""
        return any(isinstance(gate, RegressionGate) for gate in self.gates)

    def without_regressions(self) -> Policy:
        """The policy for a first release, which has nothing before it.

        Raises:
            UsageError: no gate is left.
        """
        gates = tuple(gate for gate in self.gates if not isinstance(gate, RegressionGate))
        if not gates:
            raise UsageError("the policy holds regressions alone, which a first release cannot be held to; add limits")
        return replace(self, gates=gates)

    def metrics(self) -> list[str]:
        """The metrics to score, as `gandiag.score` takes them.

        Raises:
            UsageError: a score is of no registered metric, so that only a saved Result has it.
        """
        wanted = []
        for gate in self.score_gates:
            score = score_of(gate)
            metric = known.metric_of_score().get(score)
            if metric is None:
                raise UsageError(f"no metric yields the score {shown(score)}; gate a saved Result that has it")
            wanted.append(metric if gate.extractor is None else f"{metric}@{gate.extractor}")
        return list(dict.fromkeys(wanted))


def score_of(gate: ScoreGate) -> str:
    """The name of the score that a gate looks at."""
    return "modes" if isinstance(gate, MissingModesGate) else gate.metric


def score_key(metric: str, extractor: str | None) -> str:
    """`metric@extractor`, or the metric alone."""
    return metric if extractor is None else f"{metric}@{extractor}"


def _policy(document: Mapping[str, Any], known_scores: frozenset[str], name: str) -> Policy:
    _check_keys(document, TOP_KEYS, "")
    confidence = _number(document.get("confidence", 0.95), "confidence")
    if not 0.5 < confidence < 1:
        raise UsageError(f"confidence is {confidence:g}, expected a number between 0.5 and 1, such as 0.95")
    against = _text(document["against"], "against") if "against" in document else None
    samples = _whole(document["samples"], "samples", least=1) if "samples" in document else None
    default = _on_inconclusive(document.get("on_inconclusive", "inconclusive"), "on_inconclusive")
    extractor = _extractor(document["extractor"], "extractor", known_scores) if "extractor" in document else None
    tables = document.get("gate", [])
    if isinstance(tables, Mapping):
        raise UsageError("[gate] is one table, expected a list; write [[gate]]")
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        raise UsageError(f"gate is {shown(tables)}, expected tables; write each as [[gate]]")
    if not tables:
        raise UsageError("it holds no gate, so that it would pass anything; add a [[gate]]")
    gates = tuple(_gate(table, f"gate {index}", default, known_scores) for index, table in enumerate(tables, 1))
    _check_together(gates, extractor)
    return Policy(gates, confidence, against, samples, extractor, name)


def _gate(table: Mapping[str, Any], where: str, default: OnInconclusive, known_scores: frozenset[str]) -> Gate:
    everything = [key for keys in GATE_KEYS.values() for key in keys]
    _check_keys(table, list(dict.fromkeys(everything)), where)
    kinds = [kind for kind in GATE_KEYS if kind in table]
    if len(kinds) != 1:
        found = f"names {' and '.join(kinds)}" if kinds else "names nothing to look at"
        raise UsageError(f"{where} {found}, expected one of metric, alert and missing_modes")
    misplaced = sorted(set(table) - set(GATE_KEYS[kinds[0]]))
    if misplaced:
        raise UsageError(
            f"{where}: {misplaced[0]} does not go with {kinds[0]}; it takes {', '.join(GATE_KEYS[kinds[0]])}"
        )
    meaning = _on_inconclusive(table.get("on_inconclusive", default), f"{where}: on_inconclusive")
    if kinds[0] == "alert":
        return _alert_gate(table, where, meaning)
    extractor = _extractor(table["extractor"], f"{where}: extractor", known_scores) if "extractor" in table else None
    if kinds[0] == "missing_modes":
        maximum = _whole(table["missing_modes"], f"{where}: missing_modes", least=0)
        return MissingModesGate(maximum, extractor, meaning)
    metric, behind = _metric(table["metric"], where, known_scores)
    if behind is not None and extractor not in (None, behind):
        raise UsageError(f"{where}: metric asks for the extractor {behind} and extractor for {extractor}; name it once")
    return _metric_gate(table, where, metric, behind or extractor, meaning)


def _metric_gate(
    table: Mapping[str, Any], where: str, metric: str, extractor: str | None, meaning: OnInconclusive
) -> LimitGate | RegressionGate:
    limits = [key for key in ("min", "max", "max_regression") if key in table]
    if not limits:
        raise UsageError(f"{where} sets no limit for {metric}, expected min, max or max_regression")
    if "max_regression" in table:
        if len(limits) > 1:
            raise UsageError(f"{where} has {' and '.join(limits)}; a regression is a [[gate]] of its own")
        allowed, relative = _allowance(table["max_regression"], f"{where}: max_regression")
        return RegressionGate(metric, extractor, allowed, relative, meaning)
    minimum = _number(table["min"], f"{where}: min") if "min" in table else None
    maximum = _number(table["max"], f"{where}: max") if "max" in table else None
    if minimum is not None and maximum is not None and minimum > maximum:
        raise UsageError(f"{where} contradicts itself: min {minimum:g} is above max {maximum:g}, which nothing passes")
    return LimitGate(metric, extractor, minimum, maximum, meaning)


def _alert_gate(table: Mapping[str, Any], where: str, meaning: OnInconclusive) -> AlertGate:
    kind = _text(table["alert"], f"{where}: alert")
    kinds = [*KINDS, *_detectors(), ANY_ALERT]
    if kind not in kinds:
        raise _at(where, UnknownNameError("alert", kind, set(kinds)))
    severity = _text(table.get("severity", SEVERITIES[0]), f"{where}: severity")
    if severity not in SEVERITIES:
        raise _at(where, UnknownNameError("severity", severity, SEVERITIES))
    return AlertGate(kind, _whole(table.get("max_count", 0), f"{where}: max_count", least=0), severity, meaning)


def _detectors() -> list[str]:
    from gandiag.monitor.detectors import DETECTORS

    return DETECTORS.names()


def _metric(value: object, where: str, known_scores: frozenset[str]) -> tuple[str, str | None]:
    """The score's name, and the extractor where it is written `SCORE@EXTRACTOR`."""
    text = _text(value, f"{where}: metric")
    name, _, extractor = text.partition("@")
    scores = known.metric_of_score()
    plain = {score.partition("@")[0] for score in known_scores}
    if name not in scores and name not in plain:
        metric = known.alias_of(name)
        if metric is not None:
            own = [score for score, owner in scores.items() if owner == metric]
            raise UsageError(f"{where}: metric {shown(name)} has the scores {', '.join(own)}; name one of them")
        raise _at(where, UnknownNameError("metric", name, {*scores, *plain}))
    if "@" not in text:
        return name, None
    return name, _extractor(extractor, f"{where}: metric", known_scores)


def _extractor(value: object, where: str, known_scores: frozenset[str]) -> str:
    name = _text(value, where)
    if name in {score.partition("@")[2] for score in known_scores}:
        return name
    try:
        known.extractor_key(name)
    except UnknownNameError as error:
        raise _at(where, error) from error
    return name


def _allowance(value: object, where: str) -> tuple[float, bool]:
    expected = 'expected a number of 0 or more, or a percentage such as "5%"'
    if isinstance(value, str):
        try:
            number = float(value.removesuffix("%")) if value.endswith("%") else math.nan
        except ValueError:
            number = math.nan
        relative = True
    else:
        number, relative = _number(value, where), False
    if not (math.isfinite(number) and number >= 0):
        raise UsageError(f"{where} is {shown(value)}, {expected}")
    return (number / 100 if relative else number), relative


def _check_together(gates: Sequence[Gate], extractor: str | None) -> None:
    """Refuse what is said twice, and limits of one score that nothing can be inside of."""
    said: dict[tuple[object, ...], int] = {}
    bounds: dict[tuple[str, str | None], list[LimitGate]] = {}
    for index, gate in enumerate(gates, 1):
        keys: list[tuple[object, ...]]
        if isinstance(gate, AlertGate):
            keys = [("alert", gate.alert, gate.severity)]
        elif isinstance(gate, MissingModesGate):
            keys = [("missing_modes", gate.extractor or extractor)]
        elif isinstance(gate, RegressionGate):
            keys = [("max_regression", gate.metric, gate.extractor or extractor)]
        else:
            keys = [
                (side, gate.metric, gate.extractor or extractor)
                for side, limit in (("min", gate.minimum), ("max", gate.maximum))
                if limit is not None
            ]
            bounds.setdefault((gate.metric, gate.extractor or extractor), []).append(gate)
        for key in keys:
            if key in said:
                what = " ".join(str(part) for part in key if part)
                raise UsageError(f"gates {said[key]} and {index} are the same twice ({what}); keep one of them")
            said[key] = index
    for (metric, _), limits in bounds.items():
        low = max((gate.minimum for gate in limits if gate.minimum is not None), default=-math.inf)
        high = min((gate.maximum for gate in limits if gate.maximum is not None), default=math.inf)
        if low > high:
            raise UsageError(f"two gates contradict each other: {metric} must be {low:g} or more and {high:g} or less")


def _check_keys(table: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
    for key in table:
        if key not in allowed:
            prefix = f"{where}: " if where else ""
            raise UsageError(f"{prefix}unknown key {shown(key)}{suggestion(key, allowed)}; known: {', '.join(allowed)}")


def _on_inconclusive(value: object, where: str) -> OnInconclusive:
    choices: tuple[OnInconclusive, ...] = get_args(OnInconclusive)
    for choice in choices:
        if value == choice:
            return choice
    near = suggestion(value, choices) if isinstance(value, str) else ""
    raise UsageError(f"{where} is {shown(value)}{near}, expected one of {', '.join(choices)}")


def _number(value: object, where: str) -> float:
    try:
        number = float(value) if type(value) in (int, float) else math.nan  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise UsageError(f"{where} is {shown(value)}, expected a finite number")
    return number


def _whole(value: object, where: str, *, least: int) -> int:
    if type(value) is not int or not least <= value <= 10**15:
        raise UsageError(f"{where} is {shown(value)}, expected a whole number of {least} or more")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{where} is {shown(value)}, expected text")
    return value


def _at(where: str, error: GandiagError) -> UsageError:
    return UsageError(f"{where}: {error}")
