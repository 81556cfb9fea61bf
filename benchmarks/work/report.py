"""From measurements to rows, and from rows to a table on the screen, in a file and in the documentation."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from work.measure import Measured
from work.model import Finding, Pair, Sample, Work

MARKER = "<!-- benchmark -->"
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "torch-fidelity", "prdc", "pytorch-fid")
Row = dict[str, Any]
Run = dict[str, Any]
COLUMNS = ("work", "size", "gandiag", "peer", "times faster", "memory", "goal", "same answer")


def machine(threads: int | None) -> dict[str, Any]:
    """What this ran on, and when."""
    versions = {"gandiag": "gandiag", **{name: name for name in PACKAGES}}
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": threads or torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: version for name in versions if (version := _version(name))},
    }


def rows(work: Work, measured: Measured) -> list[Row]:
    """A row for each pair of which both sides were measured, and for each side without a pair."""
    paired = {name for pair in work.pairs for name in (pair.ours, pair.peer)}
    found = [
        _pair_row(work, pair, measured)
        for pair in work.pairs
        if pair.ours in measured.samples and pair.peer in measured.samples
    ]
    shown = {name for row in found for name in (row["ours"], row["peer"])}
    alone = [name for name in measured.samples if name not in shown or name not in paired]
    return found + [_lone_row(work, name, measured) for name in alone]


def finding_row(work: Work, finding: Finding) -> Row:
    """A finding as the file has it."""
    return {"work": work.name, "name": finding.name, "value": finding.value, "goal": finding.goal, "met": finding.met}


def show(run: Run, console: Console) -> None:
    """The tables on the screen."""
    console.print(machine_line(run["machine"]))
    table = Table(*COLUMNS, show_lines=True)
    for row in run["rows"]:
        table.add_row(*(_coloured(cell) for cell in cells(row)))
    console.print(table)
    if run["findings"]:
        beside = Table("work", "what", "found", "goal")
        for finding in run["findings"]:
            beside.add_row(*(_coloured(cell) for cell in finding_cells(finding)))
        console.print(beside)
    for note in run["notes"]:
        console.print(f"[yellow]{note}[/yellow]")


def markdown(runs: Sequence[Run]) -> str:
    """The tables of all runs for the documentation."""
    parts = []
    for run in runs:
        parts += [machine_line(run["machine"]) + ".", "", _line(COLUMNS), _line(["---"] * len(COLUMNS))]
        parts += [_line(cells(row)) for row in run["rows"]]
        if run["findings"]:
            parts += ["", _line(("work", "what", "found", "goal")), _line(["---"] * 4)]
            parts += [_line(finding_cells(finding)) for finding in run["findings"]]
        parts += [""] + [f"- {note}" for note in run["notes"]] + ([""] if run["notes"] else [])
    return "\n".join(parts).strip()


def write_docs(page: Path, runs: Sequence[Run]) -> None:
    """Put the tables between the two markers of a page.

    Raises:
        ValueError: the page does not have two.
    """
    parts = page.read_text(encoding="utf-8").split(MARKER)
    if len(parts) != 3:
        raise ValueError(f"{page} has {len(parts) - 1} markers {MARKER}, not 2")
    page.write_text(f"{parts[0]}{MARKER}\n\n{markdown(runs)}\n\n{MARKER}{parts[2]}", encoding="utf-8")


def machine_line(found: Mapping[str, Any]) -> str:
    """The machine in a line."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    chip = f"{found['gpu']}; " if found["gpu"] else ""
    cores = f"{found['cpu']}, {found['cores']} cores, {found['threads']} threads"
    return f"{chip}{cores}; Python {found['python']}, {versions}; {found['date']}"


def cells(row: Row) -> list[str]:
    """A row in words."""
    ours, peer = (_side_text(row, side) for side in ("ours", "peer"))
    ratio = memory = same = "-"
    if row["peer"] is not None:
        ratio = f"{row['ratio']:.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})"
        if row["memory_ratio"] is not None:
            memory = f"{1 / row['memory_ratio']:.2f} of the peer's"
    if row["difference"] is not None:
        same = f"{row['difference']:.1e}"
        if row["tolerance"] is not None:
            same += f" (limit {row['tolerance']:.0e}): " + ("yes" if row["agree"] else "NO")
    return [row["title"], row["case"], ours, peer, ratio, memory, _goal_text(row), same]


def finding_cells(finding: Row) -> list[str]:
    """A finding in words."""
    verdict = "" if finding["met"] is None else ": met" if finding["met"] else ": NOT met"
    return [finding["work"], finding["name"], finding["value"], f"{finding['goal']}{verdict}" or "-"]


def _pair_row(work: Work, pair: Pair, measured: Measured) -> Row:
    ours, peer = measured.samples[pair.ours], measured.samples[pair.peer]
    row = _lone_row(work, pair.ours, measured)
    ratios = [other.seconds / one.seconds for one, other in zip(ours, peer, strict=True)]
    extras = _median_extra(ours), _median_extra(peer)
    memory = max(extras[1], 1) / max(extras[0], 1) if extras[0] is not None and extras[1] is not None else None
    ratio = _median_seconds(peer) / _median_seconds(ours)
    difference = work.difference(measured.answers[pair.ours], measured.answers[pair.peer])
    met = None
    if pair.faster is not None or pair.smaller is not None:
        met = ratio >= (pair.faster or 0) and (memory or 0) >= (pair.smaller or 0)
    return row | {
        "peer": pair.peer,
        "peer_seconds": [sample.seconds for sample in peer],
        "peer_extra": extras[1],
        "peer_peak": _highest_peak(peer),
        "ratio": ratio,
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "memory_ratio": memory,
        "difference": difference,
        "tolerance": pair.tolerance,
        "agree": None if pair.tolerance is None else difference <= pair.tolerance,
        "goal_faster": pair.faster,
        "goal_smaller": pair.smaller,
        "met": met,
    }


def _lone_row(work: Work, name: str, measured: Measured) -> Row:
    samples = measured.samples[name]
    empty = ("peer", "ratio", "ratio_min", "ratio_max", "memory_ratio", "difference", "tolerance", "agree")
    return {
        "work": work.name,
        "title": work.title,
        "case": measured.case.name,
        "ours": name,
        "ours_seconds": [sample.seconds for sample in samples],
        "ours_extra": _median_extra(samples),
        "ours_peak": _highest_peak(samples),
        **dict.fromkeys((*empty, "goal_faster", "goal_smaller", "met")),
    }


def _side_text(row: Row, side: str) -> str:
    if row[side] is None:
        return "-"
    text = f"{row[side]}: {_duration(statistics.median(row[f'{side}_seconds']))}"
    if row[f"{side}_extra"] is not None:
        text += f", {row[f'{side}_extra'] / 1e6:,.0f} MB ({row[f'{side}_peak'] / 1e6:,.0f} in all)"
    return text


def _goal_text(row: Row) -> str:
    goals = [f"{row['goal_faster']:g} times faster"] if row["goal_faster"] else []
    goals += [f"{1 / row['goal_smaller']:g} of the memory"] if row["goal_smaller"] else []
    if not goals:
        return "-"
    return f"{', '.join(goals)}: {'met' if row['met'] else 'NOT met'}"


def _duration(seconds: float) -> str:
    if seconds < 0.1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _median_seconds(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.seconds for sample in samples)


def _median_extra(samples: Sequence[Sample]) -> int | None:
    extras = [sample.extra for sample in samples if sample.extra is not None]
    return int(statistics.median(extras)) if extras else None


def _highest_peak(samples: Sequence[Sample]) -> int | None:
    return max((sample.peak for sample in samples if sample.peak is not None), default=None)


def _coloured(cell: str) -> str:
    if "NOT met" in cell or cell.endswith(": NO"):
        return f"[red]{cell}[/red]"
    return f"[green]{cell}[/green]" if cell.endswith((": met", ": yes")) else cell


def _line(values: Sequence[str]) -> str:
    return "| " + " | ".join(value.replace("|", "\\|") for value in values) + " |"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
