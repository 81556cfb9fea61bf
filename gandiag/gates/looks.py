"""More samples where a gate is inconclusive: a fixed number of looks that share the chance of a false decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gandiag.core.errors import InputError
from gandiag.core.result import Result
from gandiag.core.run_log import RunLog
from gandiag.gates.gate import decide
from gandiag.gates.policy import Policy
from gandiag.gates.verdict import Verdict

LOOKS = 3


@dataclass(frozen=True)
class Looked:
    """What the last look came to: the verdict, and the Results that it was found on, if any."""

    verdict: Verdict
    result: Result | None
    baseline: Result | None


def shared_confidence(confidence: float, looks: int = LOOKS) -> float:
    """The confidence of each of several looks (Bonferroni): all together are wrong no more often than one would be."""
    return 1 - (1 - confidence) / looks


def escalate(
    score: Callable[[int], Result],
    rescore_baseline: Callable[[int], Result] | None,
    policy: Policy,
    result: Result,
    baseline: Result | None = None,
    run: tuple[str, RunLog] | None = None,
    *,
    most: int,
) -> Looked:
    """Decide; where that is inconclusive, take the samples that it asks for and decide again, at most `LOOKS` times.

    Every look, the first too, decides at the shared confidence. That the later samples hold the earlier ones does no
    harm: Bonferroni's bound holds under any dependence.

    Args:
        score: gives the Result of the source for a number of samples.
        rescore_baseline: the same of the baseline, which must have as many; None where there is none.
        policy: to hold it to.
        result, baseline, run: of the first look.
        most: samples that are never exceeded.

    Raises:
        GandiagError: the policy and what it is held against do not fit each other.
    """
    confidence = shared_confidence(policy.confidence)
    verdict = decide(result, policy, baseline, run, confidence)
    notes: list[str] = []
    for look in range(2, LOOKS + 1):
        count = min(verdict.samples_needed or 0, most)
        failed = any(outcome.status == "failed" for outcome in verdict.outcomes)
        if failed or count <= int(result.protocol["samples"]):
            break
        try:
            larger = score(count)
            if policy.needs_baseline and rescore_baseline is not None:
                baseline = rescore_baseline(count)
        except InputError as error:
            notes.append(f"{count:,} samples, which would settle it, cannot be had: {error}")
            break
        result = larger
        verdict = decide(result, policy, baseline, run, confidence, look)
    return Looked(replace(verdict, warnings=(*verdict.warnings, *notes)), result, baseline)
