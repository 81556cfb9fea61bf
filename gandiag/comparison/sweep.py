"""The checkpoints of one run: which is the best, and where coverage fell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gandiag.comparison.paired import Difference
from gandiag.comparison.ranking import Pair, Ranking, told_apart, versus
from gandiag.comparison.table import Entry, Fall, Row, Sweep

COVERAGE = ("coverage", "recall", "modes")  # scores that fall where a model loses a part of the data


def find_sweeps(entries: Sequence[Entry], ranking: Ranking, best_by: str | None) -> tuple[Sweep, ...]:
    """A sweep for each run of which two checkpoints or more have steps, all different."""
    runs: dict[str, list[int]] = {}
    for number, entry in enumerate(entries):
        if entry.run is not None:
            runs.setdefault(entry.run, []).append(number)
    found = []
    for run, members in runs.items():
        steps = [entries[number].step for number in members]
        if len(members) > 1 and None not in steps and len(set(steps)) == len(steps):
            ordered = sorted(members, key=lambda number: entries[number].step or 0)
            found.append(_sweep(run, ordered, entries, ranking, best_by))
    return tuple(found)


def best_of(
    entries: Sequence[Entry], name: str | None, members: Sequence[int], ranking: Ranking
) -> tuple[str | None, tuple[str, ...]]:
    """Which of some sources has the best value of a score, and those that cannot be told apart from it."""
    rows = {row.source: row for row in ranking.rows if row.score == name and row.rank is not None}
    ranked = [number for number in members if entries[number].name in rows]
    if name is None or not ranked:
        return None, ()
    sign = 1.0 if rows[entries[ranked[0]].name].better == "lower" else -1.0
    best = min(ranked, key=lambda number: sign * (rows[entries[number].name].value or 0.0))
    others = [number for number in ranked if number != best]
    tied = [number for number in others if not told_apart(versus(entries, name, number, best, ranking.pairs))]
    return entries[best].name, tuple(entries[number].name for number in tied)


def _sweep(run: str, members: Sequence[int], entries: Sequence[Entry], ranking: Ranking, best_by: str | None) -> Sweep:
    names = tuple(entries[number].name for number in members)
    best, tied = best_of(entries, best_by, members, ranking)
    falls = [_fall(name, members, entries, ranking.pairs) for name in _coverage_scores(ranking.rows)]
    return Sweep(
        run=run,
        sources=names,
        steps=tuple(entries[number].step or 0 for number in members),
        best_by=best_by,
        best=best,
        tied=tied,
        falls=tuple(fall for fall in falls if fall is not None),
        unit=entries[members[0]].unit,
    )


def _coverage_scores(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.score for row in rows if row.score.partition("@")[0] in COVERAGE))


def _fall(
    name: str,
    members: Sequence[int],
    entries: Sequence[Entry],
    pairs: Mapping[Pair, tuple[Difference, float | None]],
) -> Fall | None:
    """The first checkpoint whose score is below the best before it, beyond doubt."""
    best: int | None = None
    for number in members:
        if best is not None and (name, *sorted((best, number))) in pairs:
            found = versus(entries, name, number, best, pairs)
            if found.verdict == "worse":
                return Fall(
                    score=name,
                    source=entries[number].name,
                    step=entries[number].step or 0,
                    best_source=entries[best].name,
                    best_step=entries[best].step or 0,
                    versus=found,
                )
            best = number if found.difference > 0 else best
        elif best is None and any(pair[0] == name and number in pair[1:] for pair in pairs):
            best = number
    return None
