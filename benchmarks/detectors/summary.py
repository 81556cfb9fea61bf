"""How right the detectors are over some runs: counts, and the page's tables of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from replayed import Run

# The illnesses that are judged, each with the kinds of truth that make it one.
JUDGED = {
    "mode collapse": {"mode_collapse"},
    "vanishing gradient": {"vanishing_gradient"},
    "explosion or not finite": {"exploding_gradient", "non_finite"},
    "non-convergence": {"non_convergence"},
    "overpowering discriminator": {"overpowering_discriminator"},
    "broken loop": {"broken_loop"},
    "discriminator overfitting": {"discriminator_overfitting"},
}


@dataclass(frozen=True)
class Illness:
    """How one illness is found.

    Attributes:
        name: of it.
        ill: runs that have it.
        caught: of these, those with a warning or worse.
        right: of the caught, those whose first alarm names something that the run has.
        named: runs of any sort whose first alarm names this illness.
        true: of the named, those that have what was named.
        delays: generator steps from the loss of modes to the first alarm, sorted, where modes were had and lost.
    """

    name: str
    ill: int
    caught: int
    right: int
    named: int
    true: int
    delays: tuple[int, ...]


@dataclass(frozen=True)
class Summary:
    """How right the detectors are over one half of the benchmark.

    Attributes:
        half: of the configurations.
        configurations: how many.
        healthy: runs that ended well.
        alarmed: of these, those with a warning or worse.
        false_alarms: warnings and worse in healthy runs.
        steps: of all healthy runs.
        failed: runs that ended badly.
        failed_alarmed: of these, those with an alarm.
        ambiguous: runs that ended neither well nor badly.
        ambiguous_alarmed: of these, those with an alarm.
        illnesses: one by one.
    """

    half: str
    configurations: int
    healthy: int
    alarmed: int
    false_alarms: int
    steps: int
    failed: int
    failed_alarmed: int
    ambiguous: int
    ambiguous_alarmed: int
    illnesses: tuple[Illness, ...]


def summarise(runs: Sequence[Run], half: str) -> Summary:
    """Count over the runs of a half."""
    runs = [run for run in runs if run.truth["half"] == half]
    healthy, failed, ambiguous = (
        [run for run in runs if run.truth["outcome"] == outcome] for outcome in ("healthy", "failed", "ambiguous")
    )
    return Summary(
        half,
        len({run.truth["configuration"] for run in runs}),
        len(healthy),
        sum(bool(run.alarms) for run in healthy),
        sum(len(run.alarms) for run in healthy),
        sum(run.steps for run in healthy),
        len(failed),
        sum(bool(run.alarms) for run in failed),
        len(ambiguous),
        sum(bool(run.alarms) for run in ambiguous),
        tuple(_illness(name, kinds, runs, failed) for name, kinds in JUDGED.items()),
    )


def _illness(name: str, kinds: set[str], runs: Sequence[Run], failed: Sequence[Run]) -> Illness:
    ill = [run for run in failed if kinds & set(run.truth["kinds"])]
    caught = [run for run in ill if run.alarms]
    named = [run for run in runs if run.alarms and run.alarms[0].kind in kinds]
    delays = [run.alarms[0].step - run.truth["lost_at"] for run in caught if run.truth["lost_at"] is not None]
    return Illness(
        name,
        len(ill),
        len(caught),
        sum(run.alarms[0].kind in run.truth["kinds"] for run in caught),
        len(named),
        sum(run.alarms[0].kind in run.truth["kinds"] for run in named),
        tuple(sorted(delays)),
    )


def wilson(hits: int, count: int) -> str:
    """A share with its 95% interval (Wilson 1927)."""
    if count == 0:
        return "-"
    z, share = 1.96, hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return f"{hits} of {count}: {share:.0%} [{max(centre - half, 0):.0%}, {min(centre + half, 1):.0%}]"


def told(found: Summary) -> list[str]:
    """A half's part of the page."""
    lines = [
        f"## The {found.half} half",
        "",
        f"{found.healthy} healthy runs, {found.failed} failed, {found.ambiguous} ambiguous, of {found.configurations}"
        " configurations.",
        "",
        f"- Healthy runs with a warning or worse: {wilson(found.alarmed, found.healthy)}",
        f"- False alarms per 10,000 healthy steps: {found.false_alarms / max(found.steps, 1) * 1e4:.3f}"
        f" ({found.false_alarms} in {found.steps:,} steps)",
        f"- Failed runs with a warning or worse: {wilson(found.failed_alarmed, found.failed)}",
        f"- Ambiguous runs with one: {wilson(found.ambiguous_alarmed, found.ambiguous)}",
        "",
        "| illness | caught | first alarm right | precision of the name | steps from the loss of modes |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in found.illnesses:
        delays = each.delays
        delay = f"median {delays[len(delays) // 2]}, most {delays[-1]} ({len(delays)} runs)" if delays else "-"
        lines.append(
            f"| {each.name} | {wilson(each.caught, each.ill)} | {wilson(each.right, each.caught)} |"
            f" {wilson(each.true, each.named)} | {delay} |"
        )
    return [*lines, ""]


def details(runs: Sequence[Run]) -> list[str]:
    """One line for each configuration: what became of its runs, and what was said."""
    lines = [
        "## Every configuration",
        "",
        "| configuration | half | outcomes | what the runs have | first alarms, with their steps |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in dict.fromkeys(run.truth["configuration"] for run in runs):
        own = [run for run in runs if run.truth["configuration"] == name]
        outcomes = ", ".join(
            f"{sum(run.truth['outcome'] == outcome for run in own)} {outcome}"
            for outcome in ("healthy", "failed", "ambiguous")
            if any(run.truth["outcome"] == outcome for run in own)
        )
        kinds = sorted({kind for run in own for kind in run.truth["kinds"]})
        first: dict[str, list[int]] = {}
        for run in own:
            kind, step = (run.alarms[0].kind, run.alarms[0].step) if run.alarms else ("silent", 0)
            first.setdefault(kind, []).append(step)
        said = "; ".join(
            f"{len(steps)} {kind}" + ("" if kind == "silent" else f" at {_span(steps)}")
            for kind, steps in sorted(first.items())
        )
        lines.append(f"| {name} | {own[0].truth['half']} | {outcomes} | {', '.join(kinds) or '-'} | {said} |")
    return [*lines, ""]


def _span(steps: list[int]) -> str:
    return f"{min(steps)}" if min(steps) == max(steps) else f"{min(steps)} to {max(steps)}"
