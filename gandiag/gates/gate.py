"""`gandiag.gate`: a Result, and the log of its run, against a policy."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from pathlib import Path

from gandiag.core.errors import InputError, UsageError, shown
from gandiag.core.result import Result
from gandiag.core.run_log import RunLog
from gandiag.gates.decide import decide_alerts, decide_limit, decide_missing_modes, decide_regressions
from gandiag.gates.find import find_score
from gandiag.gates.policy import AlertGate, LimitGate, MissingModesGate, Policy, RegressionGate
from gandiag.gates.verdict import Outcome, Verdict

Location = str | os.PathLike[str]


def gate(
    result: Result | Location | None,
    policy: Policy | Location,
    baseline: Result | Location | None = None,
    run: RunLog | Location | None = None,
) -> Verdict:
    """Hold a Result to a policy.

    A limit is passed where the whole interval is inside it, failed where all of it is beyond, and inconclusive in
    between. A regression fails only where the paired difference to the baseline is significantly worse than allowed.
    An undefined score fails; an unreliable one never passes; one without an error bar is decided by its value. Alerts
    that nobody looked for are inconclusive.

    Args:
        result: a Result or its file; None where the policy looks at a run's alerts alone.
        policy: a Policy or its TOML file.
        baseline: a Result, its file, or `HISTORY@last-passed`, `HISTORY@last`, `HISTORY@NAME`; for regressions.
        run: the log of the training run, or its folder; for alerts.

    Raises:
        GandiagError: the policy, the Result, the baseline or the log cannot be used, or do not fit each other.
    """
    opened = result if isinstance(result, Result) or result is None else Result.load(result)
    if not isinstance(policy, Policy):
        policy = Policy.load(policy, () if opened is None else score_names(opened))
    return decide(opened, policy, open_baseline(baseline), open_run(run))


def decide(
    result: Result | None,
    policy: Policy,
    baseline: Result | None,
    run: tuple[str, RunLog] | None,
    confidence: float | None = None,
    looks: int = 1,
) -> Verdict:
    """The verdict on what was opened; `confidence` in place of the policy's where several looks share it.

    Raises:
        GandiagError: they do not fit each other.
    """
    confidence = policy.confidence if confidence is None else confidence
    check_given(policy, scoring=result is not None, baseline=baseline is not None, run=run is not None)
    notes: list[str] = []
    if result is not None:
        notes += _check_protocol(result, policy)
    regressions = [each for each in policy.gates if isinstance(each, RegressionGate)]
    regressed: list[Outcome] = []
    if regressions and result is not None and baseline is not None:
        regressed = decide_regressions(regressions, result, baseline, policy, confidence)
    outcomes: list[Outcome] = []
    for each in policy.gates:
        match each:
            case RegressionGate():
                outcomes.append(regressed[regressions.index(each)])
            case AlertGate() if run is not None:
                outcomes.append(decide_alerts(each, run[1]))
            case LimitGate() if result is not None:
                outcomes.append(decide_limit(each, find_score(result, each, policy), confidence))
            case MissingModesGate() if result is not None:
                outcomes.append(decide_missing_modes(each, find_score(result, each, policy), confidence))
    notes += [
        f"{each.gate} passes only because the policy says so of what is inconclusive: {each.reason}"
        for each in outcomes
        if each.status == "inconclusive" and each.verdict == "passed"
    ]
    return Verdict(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        policy=policy.name,
        confidence=confidence,
        source={} if result is None else dict(result.source),
        reference={} if result is None else dict(result.reference),
        baseline=None if baseline is None else dict(baseline.source),
        run=None if run is None else run[0],
        outcomes=tuple(outcomes),
        warnings=tuple(dict.fromkeys(notes)),
        looks=looks,
    )


def check_given(policy: Policy, *, scoring: bool, baseline: bool, run: bool) -> None:
    """Refuse a policy that looks at what nobody gave.

    Raises:
        UsageError: the message says what to name.
    """
    if policy.score_gates and not scoring:
        raise UsageError("the policy looks at scores, and there is no Result; name a source or a Result")
    if policy.alert_gates and not run:
        raise UsageError("the policy looks at alerts, and there is no run log; name it with --run")
    if policy.needs_baseline and not baseline:
        raise UsageError("the policy compares with a baseline, and there is none; name it with --baseline")


def score_names(result: Result) -> list[str]:
    """The names that a policy may use for a Result's scores: its keys, and `NAME@EXTRACTOR` of each."""
    keys = list(result.scores)
    return keys + [
        f"{key}@{score.extractor}" for key, score in result.scores.items() if score.extractor and "@" not in key
    ]


def open_baseline(baseline: Result | Location | None, warn: Callable[[str], None] | None = None) -> Result | None:
    """A Result as it is, from its file, or from a history; `warn` is told of the history's damaged records.

    Raises:
        InputError: there is none such; MissingDataError where a history has no record of that kind yet.
    """
    if baseline is None or isinstance(baseline, Result):
        return baseline
    text = os.fspath(baseline)
    folder, at, name = text.rpartition("@")
    if at and not Path(text).exists():
        from gandiag.gates.history import find_record

        return find_record(folder, name, warn).result
    return Result.load(baseline)


def open_run(run: RunLog | Location | None) -> tuple[str, RunLog] | None:
    """The name of a run, and its log.

    Raises:
        InputError: there is no such log.
    """
    if run is None:
        return None
    if isinstance(run, RunLog):
        return str(run.header.get("name", "run")), run
    from gandiag.core.run_log import read_run_log

    return os.fspath(run), read_run_log(Path(run))


def _check_protocol(result: Result, policy: Policy) -> list[str]:
    """Refuse a Result that was scored with fewer samples, or against another reference, than the policy asks for."""
    samples = result.protocol.get("samples")
    if policy.samples is not None and type(samples) is int and samples < policy.samples:
        raise InputError(
            f"the Result has {samples:,} samples and the policy asks for {policy.samples:,}; "
            f"score again with --samples {policy.samples}"
        )
    name = result.reference.get("name")
    if policy.against is None or name is None or same_reference(policy.against, str(name)):
        return []
    from gandiag.datasets import DATASETS

    said = f"the Result was scored against {shown(name)} and the policy asks for {shown(policy.against)}"
    if policy.against.partition(":")[0] in DATASETS.names():
        raise InputError(f"{said}; score again with --against {policy.against}")
    return [said]


def same_reference(wanted: str, name: str) -> bool:
    """Whether a Result's reference is the one that a policy or an option names."""
    # A dataset's name alone is its training split.
    wanted, name = wanted.removesuffix(":train"), name.removesuffix(":train")
    return name in (wanted, Path(wanted).name, Path(wanted).stem) or Path(name).name == Path(wanted).name
