"""Scoring a source for a gate: what its policy needs, with its samples and against its reference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gandiag.core.errors import InputError, UsageError, shown
from gandiag.core.result import Result
from gandiag.core.run_log import RunLog
from gandiag.gates.find import find_score
from gandiag.gates.gate import check_given, decide, same_reference
from gandiag.gates.looks import Looked, escalate
from gandiag.gates.policy import Policy, RegressionGate

if TYPE_CHECKING:
    from gandiag.evaluation.scorer import Settings

MOST_SAMPLES = 200_000  # that an escalation takes where nobody says


def gate_source(
    source: Any,
    policy: Policy,
    settings: Settings,
    *,
    baseline: Result | None = None,
    run: tuple[str, RunLog] | None = None,
    escalating: bool = False,
    most: int = MOST_SAMPLES,
) -> Looked:
    """Score a source by a policy and decide.

    Args:
        source: as `gandiag.score` takes it; None where the policy looks at alerts alone.
        policy: names the metrics, and the samples and reference where the settings do not.
        settings: how to score.
        baseline, run: as of `gandiag.gate`.
        escalating: whether to take more samples where it is inconclusive.
        most: samples that this never exceeds.

    Raises:
        GandiagError: something does not fit, which is found before the long work where it can be.
    """
    check_given(policy, scoring=source is not None, baseline=baseline is not None, run=run is not None)
    if baseline is not None:
        for gate in policy.score_gates:
            if isinstance(gate, RegressionGate):
                find_score(baseline, gate, policy, "the baseline")
    if not policy.score_gates:
        raise UsageError("the policy looks at alerts alone, and needs no source; leave it out")
    settings = fill(settings, policy, baseline)
    result = score(source, settings)
    if not escalating:
        return Looked(decide(result, policy, baseline, run), result, baseline)
    return escalate(
        lambda count: score(source, replace(settings, samples=count)),
        None if baseline is None else lambda count: rescore(baseline, replace(settings, samples=count)),
        policy,
        result,
        baseline,
        run,
        most=most,
    )


def fill(settings: Settings, policy: Policy, baseline: Result | None = None) -> Settings:
    """The settings with what the policy says where they say nothing.

    Raises:
        UsageError: they ask for less than the policy, or for something else.
    """
    if policy.samples is not None and settings.samples is not None and settings.samples < policy.samples:
        raise UsageError(f"--samples is {settings.samples:,} and the policy asks for {policy.samples:,}; leave it out")
    if policy.extractor is not None and settings.extractor not in (None, policy.extractor):
        said = f"--extractor is {shown(settings.extractor)} and the policy asks for {shown(policy.extractor)}"
        raise UsageError(f"{said}; leave it out")
    given = settings.against
    if policy.against is not None and isinstance(given, str) and not same_reference(policy.against, given):
        said = f"--against is {shown(given)} and the policy asks for {shown(policy.against)}"
        raise UsageError(f"{said}; leave it out")
    samples = settings.samples if settings.samples is not None else policy.samples
    if samples is None and baseline is not None and type(baseline.protocol.get("samples")) is int:
        samples = baseline.protocol["samples"]
    named = [settings.metrics] if isinstance(settings.metrics, str) else list(settings.metrics or ())
    return replace(
        settings,
        metrics=list(dict.fromkeys([*policy.metrics(), *named])),
        against=policy.against if settings.against is None else settings.against,
        extractor=settings.extractor or policy.extractor,
        samples=samples,
    )


def score(source: Any, settings: Settings) -> Result:
    """The Result of a source."""
    from gandiag.evaluation.scorer import Scorer

    scorer = Scorer(settings)
    return scorer.score(scorer.open(source))


def rescore(baseline: Result, settings: Settings) -> Result:
    """The baseline with other samples, from the file that it was scored from.

    Raises:
        InputError: that file is not there any more, or is another one.
    """
    name, path, digest = (baseline.source.get(key) for key in ("name", "path", "sha256"))
    source = path if path is not None else name if baseline.source.get("kind") == "dataset" else None
    if not isinstance(source, str) or (path is not None and not Path(source).exists()):
        raise InputError(f"the baseline {shown(name)} cannot be scored again: its file {shown(path)} is not here")
    again = score(source, settings)
    if again.source.get("sha256") != digest:
        raise InputError(f"the baseline {shown(name)} cannot be scored again: {shown(path)} is another file now")
    return again
