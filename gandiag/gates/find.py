"""Finding in a Result the score that a gate means, and telling whether two scores may be compared."""

from __future__ import annotations

from gandiag.core.errors import InputError, UsageError, shown
from gandiag.core.result import Result
from gandiag.core.score import Score
from gandiag.gates import known
from gandiag.gates.policy import Policy, ScoreGate, score_of


def find_score(result: Result, gate: ScoreGate, policy: Policy, whose: str = "the Result") -> tuple[str, Score]:
    """The key and the score that a gate looks at.

    Raises:
        UsageError: the Result has no such score, or has it from another extractor.
    """
    name, extractor = score_of(gate), gate.extractor or policy.extractor
    if extractor is None:
        if name in result.scores:
            return name, result.scores[name]
        others = [key for key in result.scores if key.partition("@")[0] == name]
        if len(others) == 1:
            return others[0], result.scores[others[0]]
        if others:
            raise UsageError(f"{whose} has {' and '.join(others)}; name the extractor of the gate {shown(gate.title)}")
    else:
        wanted = {extractor, _key(extractor)}
        for key, score in result.scores.items():
            plain, _, suffix = key.partition("@")
            if plain == name and (suffix in wanted or (not suffix and score.extractor in wanted)):
                return key, score
        # A metric that looks at the samples themselves has no extractor to agree on.
        if gate.extractor is None and name in result.scores and result.scores[name].extractor is None:
            return name, result.scores[name]
    what = name if extractor is None else f"{name} of the extractor {extractor}"
    metric = known.metric_of_score().get(name, name)
    there = ", ".join(result.scores) or "no scores"
    raise UsageError(
        f"{whose} has no {shown(what)}, which the gate {shown(gate.title)} looks at; it has {there}; "
        f"score with --metric {metric if extractor is None else f'{metric}@{extractor}'}"
    )


def check_comparable(key: str, result: Result, baseline_key: str, baseline: Result) -> None:
    """Refuse a baseline whose score follows another protocol, naming what differs.

    Raises:
        InputError: the fingerprints differ.
    """
    from gandiag.comparison.identity import differing, identity

    one, other = result.scores[key].fingerprint, baseline.scores[baseline_key].fingerprint
    here, there = identity(result, key), identity(baseline, baseline_key)
    if one == other and (one is not None or here == there):
        return
    raise InputError(
        f"{key} cannot be compared with that of the baseline, which has another protocol "
        f"({'; '.join(differing(here, there))}); score both in the same way"
    )


def _key(extractor: str) -> str:
    try:
        return known.extractor_key(extractor)
    except UsageError:
        return extractor
