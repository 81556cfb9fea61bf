"""Who is comparable with whom, who is better, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from gandiag.comparison.holm import holm
from gandiag.comparison.identity import differing, identity
from gandiag.comparison.paired import Difference, difference
from gandiag.comparison.table import APART, Entry, Row, RowStatus, Verdict, Versus
from gandiag.core.score import Better, Score

LEVEL = 0.05  # of a test after correction
Pair = tuple[str, int, int]  # score, one entry and the other, the first before the second


@dataclass(frozen=True)
class Ranking:
    """Every score of a table, and what its pairs of comparable sources say.

    Attributes:
        rows: score by score, in the order of the entries.
        pairs: the difference of the first from the second, with the p-value corrected over all pairs of the table.
    """

    rows: tuple[Row, ...]
    pairs: Mapping[Pair, tuple[Difference, float | None]]


def rank(entries: Sequence[Entry], scores: Sequence[str], baseline: int | None) -> Ranking:
    """Rank the sources by every score.

    The source with the best value is chosen by what is tested, so a test against it is corrected as one of all pairs.
    The tests against the baseline, which is named before, are a family of their own.

    Args:
        entries: the sources.
        scores: names of the scores.
        baseline: number of the source that the others are held against.

    Raises:
        InputError: the evidence in a Result is malformed.
    """
    groups = {name: _comparable(entries, name, baseline) for name in scores}
    found = {
        (name, one, other): difference(entries[one].result.scores[name], entries[other].result.scores[name])
        for name in scores
        for one, other in combinations(_valued(entries, name, groups[name]), 2)
    }
    pairs = _corrected(found)
    against = _corrected({pair: each for pair, each in found.items() if baseline in pair[1:]})
    rows = [row for name in scores for row in _rows(entries, name, groups[name], baseline, pairs, against)]
    return Ranking(tuple(rows), pairs)


def versus(
    entries: Sequence[Entry],
    name: str,
    one: int,
    other: int,
    pairs: Mapping[Pair, tuple[Difference, float | None]],
) -> Versus:
    """How `one` differs from `other` in a score of which both have a value."""
    turned = one > other
    found, adjusted = pairs[(name, other, one) if turned else (name, one, other)]
    value, interval = found.value, found.ci
    if turned:
        value = -value + 0.0
        interval = None if interval is None else (-interval[1], -interval[0])
    return Versus(
        to=entries[other].name,
        difference=value,
        stderr=found.stderr,
        ci95=interval,
        p_value=found.p_value,
        p_adjusted=adjusted,
        method=found.method,
        verdict=_verdict(value, adjusted, entries[one].result.scores[name].better),
    )


def _other(
    entries: Sequence[Entry],
    name: str,
    one: int,
    other: int | None,
    pairs: Mapping[Pair, tuple[Difference, float | None]],
) -> Versus | None:
    return None if other is None or other == one else versus(entries, name, one, other, pairs)


def _verdict(value: float, adjusted: float | None, better: Better | None) -> Verdict:
    if adjusted is None:
        return "no error bar"
    if adjusted >= LEVEL or value == 0:
        return "cannot be told apart"
    side: Better = "higher" if value > 0 else "lower"
    if better is None:
        return side
    return "better" if side == better else "worse"


def _comparable(entries: Sequence[Entry], name: str, baseline: int | None) -> list[int]:
    """The sources whose fingerprint is the baseline's, or that of most; of the first where two are as many."""
    groups: dict[str | None, list[int]] = {}
    for number, entry in enumerate(entries):
        if name in entry.result.scores:
            groups.setdefault(entry.result.scores[name].fingerprint, []).append(number)
    if baseline is not None:
        for members in groups.values():
            if baseline in members:
                return members
    return max(groups.values(), key=len)


def _valued(entries: Sequence[Entry], name: str, group: Sequence[int]) -> list[int]:
    return [number for number in group if entries[number].result.scores[name].value is not None]


def _corrected(found: Mapping[Pair, Difference]) -> dict[Pair, tuple[Difference, float | None]]:
    tested = {pair: each.p_value for pair, each in found.items() if each.p_value is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {pair: (each, adjusted.get(pair)) for pair, each in found.items()}


def _rows(
    entries: Sequence[Entry],
    name: str,
    group: Sequence[int],
    baseline: int | None,
    pairs: Mapping[Pair, tuple[Difference, float | None]],
    against: Mapping[Pair, tuple[Difference, float | None]],
) -> list[Row]:
    valued = _valued(entries, name, group)
    best, held = _best(entries, name, valued), baseline if baseline in valued else None
    rows = []
    for number, entry in enumerate(entries):
        score = entry.result.scores.get(name)
        if score is None:
            rows.append(Row(entry.name, name, "missing", reason="it has no such score"))
        elif number not in group:
            fields = differing(identity(entry.result, name), identity(entries[group[0]].result, name))
            rows.append(_row(entry.name, name, score, "not comparable", "; ".join(fields), differs=fields))
        elif number not in valued:
            rows.append(_row(entry.name, name, score, score.status, score.reason))
        else:
            ahead = sum(
                versus(entries, name, other, number, pairs).verdict == "better" for other in valued if other != number
            )
            rows.append(
                _row(
                    entry.name,
                    name,
                    score,
                    score.status,
                    score.reason,
                    rank=None if best is None else ahead + 1,
                    best=number == best,
                    to_best=_other(entries, name, number, best, pairs),
                    to_baseline=_other(entries, name, number, held, against),
                )
            )
    return rows


def _row(
    source: str,
    name: str,
    score: Score,
    status: RowStatus,
    reason: str | None,
    *,
    rank: int | None = None,
    best: bool = False,
    to_best: Versus | None = None,
    to_baseline: Versus | None = None,
    differs: tuple[str, ...] = (),
) -> Row:
    return Row(
        source=source,
        score=name,
        status=status,
        value=score.value,
        stderr=score.stderr,
        ci95=score.ci95,
        better=score.better,
        reason=reason,
        rank=rank,
        best=best,
        to_best=to_best,
        to_baseline=to_baseline,
        differs=differs,
    )


def _best(entries: Sequence[Entry], name: str, valued: Sequence[int]) -> int | None:
    """The source with the best value, the first of equal ones; None where no direction is the better one."""
    if not valued:
        return None
    scores = {number: entries[number].result.scores[name] for number in valued}
    better = scores[valued[0]].better
    if better is None:
        return None
    sign = 1.0 if better == "lower" else -1.0
    return min(valued, key=lambda number: sign * (scores[number].value or 0.0))


def told_apart(found: Versus | None) -> bool:
    """Whether a difference is beyond doubt."""
    return found is not None and found.verdict in APART
