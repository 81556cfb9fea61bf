"""The verdict of a gate: one outcome for each gate of the policy, and what they come to."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from gandiag.core.errors import InputError, shown
from gandiag.core.files import atomic_write

SCHEMA = "gandiag.verdict/1"
Status = Literal["passed", "failed", "inconclusive"]
Kind = Literal["limit", "regression", "missing_modes", "alert"]
EXIT_CODES: dict[Status, int] = {"passed": 0, "failed": 1, "inconclusive": 4}


@dataclass(frozen=True)
class Outcome:
    """How one gate came out.

    Attributes:
        gate: what it asks, in words.
        kind: of gate.
        status: what was found.
        verdict: what the policy makes of it: `status`, or what `on_inconclusive` says of an inconclusive one.
        reason: why, in one sentence.
        score: its key in the Result; None for alerts.
        value: that was found.
        interval: that decided, at the verdict's confidence; of the difference for a regression.
        minimum, maximum: the limits that it was held to, of the value, or of the difference for a regression.
        baseline: the baseline's value, for a regression.
        difference: how much worse than the baseline, for a regression; below 0 is better.
        p_value: for a regression, one-sided, of being no worse than allowed; Holm-corrected over the regressions.
        samples: that it was found with.
        samples_needed: about how many would settle it, 95 times in 100 or more; None where settled, or out of reach.
    """

    gate: str
    kind: Kind
    status: Status
    verdict: Status
    reason: str
    score: str | None = None
    value: float | None = None
    interval: tuple[float, float] | None = None
    minimum: float | None = None
    maximum: float | None = None
    baseline: float | None = None
    difference: float | None = None
    p_value: float | None = None
    samples: int | None = None
    samples_needed: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What a policy says of a Result.

    Attributes:
        created: when, in ISO 8601 with UTC offset.
        policy: its name.
        confidence: of the intervals that decided; higher than the policy's where several looks share it.
        source, reference: what was scored against what; empty where only a run log was looked at.
        baseline: the source of the baseline, or None.
        run: the run whose alerts were counted, or None.
        outcomes: one a gate, in the policy's order.
        warnings: what a reader should know; all that passed although it was not shown to be inside its limit.
        looks: how often the samples were looked at.
    """

    created: str
    policy: str
    confidence: float
    source: Mapping[str, Any]
    reference: Mapping[str, Any]
    baseline: Mapping[str, Any] | None
    run: str | None
    outcomes: tuple[Outcome, ...]
    warnings: tuple[str, ...] = ()
    looks: int = field(default=1)

    @property
    def status(self) -> Status:
        """`failed` where a gate failed, else `inconclusive` where one is, else `passed`."""
        found = {outcome.verdict for outcome in self.outcomes}
        for status in ("failed", "inconclusive"):
            if status in found:
                return status
        return "passed"

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return self.status == "passed"

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 4 inconclusive."""
        return EXIT_CODES[self.status]

    @property
    def samples_needed(self) -> int | None:
        """The most samples that an inconclusive gate asks for; None where none asks."""
        return max(
            (outcome.samples_needed for outcome in self.outcomes if outcome.samples_needed is not None), default=None
        )

    def to_dict(self) -> dict[str, Any]:
        """The verdict as plain values, for strict JSON."""
        return {"schema": SCHEMA, "status": self.status, **dataclasses.asdict(self)}

    def to_json(self) -> str:
        """The verdict as one strict JSON document, `gandiag.verdict/1`."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the JSON, whole or not at all.

        Raises:
            InputError: the file cannot be written.
        """
        with atomic_write(path) as temporary:
            temporary.write_text(self.to_json(), encoding="utf-8")

    @staticmethod
    def from_dict(values: object) -> Verdict:
        """The verdict that `to_dict` gave.

        Raises:
            InputError: these are no values of a verdict.
        """
        try:
            if not isinstance(values, Mapping) or values.get("schema") != SCHEMA:
                raise ValueError(f"expected the schema {SCHEMA!r}")
            rest = {key: value for key, value in values.items() if key not in ("schema", "status", "outcomes")}
            outcomes = tuple(_outcome(each) for each in values["outcomes"])
            verdict = Verdict(**{**rest, "outcomes": outcomes, "warnings": tuple(rest.get("warnings", ()))})
            if values.get("status") != verdict.status:
                raise ValueError(f"its status is {shown(values.get('status'))}, and its outcomes say {verdict.status}")
            return verdict
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise InputError(f"not a verdict of gandiag: {type(error).__name__}: {error}") from error


def _outcome(values: Mapping[str, Any]) -> Outcome:
    interval = values.get("interval")
    outcome = Outcome(**{**values, "interval": None if interval is None else (float(interval[0]), float(interval[1]))})
    if not {outcome.status, outcome.verdict} <= set(get_args(Status)) or outcome.kind not in get_args(Kind):
        raise ValueError(f"an outcome cannot be {shown(outcome.status)}, {shown(outcome.verdict)}")
    numbers = (outcome.value, outcome.baseline, outcome.difference, outcome.minimum, outcome.maximum)
    if not all(number is None or math.isfinite(number) for number in numbers):
        raise ValueError("a number of an outcome is not finite")
    return outcome
