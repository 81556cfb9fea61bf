"""Replay the logs through the detectors, and say how right they are: `python benchmarks/detectors/judge.py`."""

from __future__ import annotations

import argparse
import gzip
import io
import json
import lzma
import math
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent
sys.path.insert(0, str(HOME))

from truth import told_anew  # noqa: E402

from gandiag.core.alert import Alert, at_least  # noqa: E402
from gandiag.core.run_log import read_run_log  # noqa: E402
from gandiag.core.signals import Record  # noqa: E402
from gandiag.monitor.replay import replay  # noqa: E402

RUNS, ARCHIVE, REPORT = HOME / "runs", HOME / "logs.tar.xz", HOME / "report.md"
# Each with the kinds that are a right name for it, whichever of them the truth found.
JUDGED = {
    "mode collapse": {"mode_collapse"},
    "vanishing gradient": {"vanishing_gradient"},
    "explosion or not finite": {"exploding_gradient", "non_finite"},
    "non-convergence": {"non_convergence"},
    "overpowering discriminator": {"overpowering_discriminator"},
    "broken loop": {"broken_loop"},
    "discriminator overfitting": {"discriminator_overfitting"},
}
SCALES = (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0)
# The thresholds that decide most, each with the rule's kind; an AUC is scaled by its distance to 1.
MAIN = (
    ("mode_collapse", "variance_ratio"),
    ("mode_collapse", "vendi_ratio"),
    ("vanishing_gradient", "ratio"),
    ("vanishing_gradient", "gradient"),
    ("exploding_gradient", "jump"),
    ("exploding_gradient", "scores"),
    ("non_convergence", "travel"),
    ("overpowering_discriminator", "auc"),
    ("losing_discriminator", "auc"),
    ("discriminator_overfitting", "held_out_auc"),
)


@dataclass(frozen=True)
class Run:
    """A run's truth, its records, and what the detectors say of them."""

    truth: Mapping[str, Any]
    records: tuple[Record, ...]
    alerts: tuple[Alert, ...]

    @property
    def alarms(self) -> list[Alert]:
        """Warnings and worse."""
        return [alert for alert in self.alerts if at_least(alert.severity, "warning")]

    @property
    def steps(self) -> int:
        """Of the run."""
        return self.records[-1].step if self.records else 0


def load(folder: Path, archive: Path) -> list[tuple[dict[str, Any], tuple[Record, ...]]]:
    """Truth and records of every run, from the folder, or from the archive where there is none.

    What became of a run in the folder is read from its history anew, so that a change of `truth.py` needs no training.
    """
    return list(_from_folder(folder) if folder.is_dir() else _from_archive(archive))


def _from_folder(folder: Path) -> Iterator[tuple[dict[str, Any], tuple[Record, ...]]]:
    for path in sorted(folder.glob("*.json")):
        text = gzip.decompress((folder / f"{path.stem}.jsonl.gz").read_bytes())
        yield told_anew(json.loads(path.read_text())), _records(text)


def _from_archive(archive: Path) -> Iterator[tuple[dict[str, Any], tuple[Record, ...]]]:
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(archive.read_bytes()))) as packed:
        held = {member.name: packed.extractfile(member) for member in packed.getmembers() if member.isfile()}
        for name in sorted(held):
            truth, log = held[name], held.get(name.removesuffix(".json") + ".jsonl")
            if name.endswith(".json") and truth is not None and log is not None:
                yield json.loads(truth.read()), _records(log.read())


def _records(text: bytes) -> tuple[Record, ...]:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "run.jsonl"
        path.write_bytes(text)
        return read_run_log(path).records


def judged(
    loaded: Sequence[tuple[dict[str, Any], tuple[Record, ...]]], thresholds: Mapping[str, Any] | None = None
) -> list[Run]:
    """Every run with the alerts of these thresholds."""
    return [Run(truth, records, tuple(replay(records, thresholds))) for truth, records in loaded]


def wilson(hits: int, count: int) -> str:
    """A share with its 95% interval (Wilson 1927)."""
    if count == 0:
        return "-"
    z, share = 1.96, hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return f"{hits} of {count}: {share:.0%} [{max(centre - half, 0):.0%}, {min(centre + half, 1):.0%}]"


def report(runs: Sequence[Run], title: str) -> list[str]:
    """The part of the report for one half."""
    healthy = [run for run in runs if run.truth["outcome"] == "healthy"]
    failed = [run for run in runs if run.truth["outcome"] == "failed"]
    ambiguous = [run for run in runs if run.truth["outcome"] == "ambiguous"]
    alarmed = [run for run in healthy if run.alarms]
    steps = sum(run.steps for run in healthy)
    false = sum(len(run.alarms) for run in healthy)
    lines = [
        f"## {title}",
        "",
        f"{len(healthy)} healthy runs, {len(failed)} failed, {len(ambiguous)} ambiguous, of "
        f"{len({run.truth['configuration'] for run in runs})} configurations.",
        "",
        f"- Healthy runs with a warning or worse: {wilson(len(alarmed), len(healthy))}",
        f"- False alarms per 10,000 healthy steps: {false / max(steps, 1) * 1e4:.3f} ({false} in {steps:,} steps)",
        f"- Failed runs with a warning or worse: {wilson(sum(bool(run.alarms) for run in failed), len(failed))}",
        f"- Ambiguous runs with one: {wilson(sum(bool(run.alarms) for run in ambiguous), len(ambiguous))}",
        "",
        "| illness | caught | named rightly, of all caught | precision of the name | steps from the loss of modes |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, kinds in JUDGED.items():
        ill = [run for run in failed if kinds & set(run.truth["kinds"])]
        caught = [run for run in ill if run.alarms]
        right = [run for run in caught if run.alarms[0].kind in set(run.truth["kinds"])]
        named = [run for run in runs if run.alarms and run.alarms[0].kind in kinds]
        true = [run for run in named if run.alarms[0].kind in run.truth["kinds"]]
        delays = sorted(run.alarms[0].step - run.truth["lost_at"] for run in caught if run.truth["lost_at"] is not None)
        delay = f"{delays[len(delays) // 2]}, {delays[-1]} ({len(delays)} runs)" if delays else "-"
        lines.append(
            f"| {name} | {wilson(len(caught), len(ill))} | {wilson(len(right), len(caught))} | "
            f"{wilson(len(true), len(named))} | {delay} |"
        )
    return [*lines, ""]


def details(runs: Sequence[Run]) -> list[str]:
    """One line for each configuration: what became of its runs, and what was said."""
    lines = [
        "## Every configuration",
        "",
        "| configuration | half | outcomes | truth | first alarms, with their steps |",
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
            first.setdefault(run.alarms[0].kind if run.alarms else "silent", []).append(
                run.alarms[0].step if run.alarms else 0
            )
        said = "; ".join(
            f"{len(steps)} {kind}" + (f" at {min(steps)} to {max(steps)}" if kind != "silent" else "")
            for kind, steps in sorted(first.items())
        )
        lines.append(f"| {name} | {own[0].truth['half']} | {outcomes} | {', '.join(kinds)} | {said} |")
    return [*lines, ""]


@dataclass(frozen=True)
class Curve:
    """How one rule alone fares as its main threshold is scaled by `SCALES`.

    Attributes:
        kind: of the rule.
        threshold: name of the field.
        default: its value.
        healthy: how many healthy runs there are.
        ill: how many runs have this illness.
        points: healthy runs alarmed and ill ones caught, for each scale.
    """

    kind: str
    threshold: str
    default: float
    healthy: int
    ill: int
    points: tuple[tuple[int, int], ...]


def curves(loaded: Sequence[tuple[dict[str, Any], tuple[Record, ...]]]) -> list[Curve]:
    """The receiver operating characteristic of each main threshold."""
    from gandiag.monitor.detectors import DETECTORS

    found = []
    for kind, name in MAIN:
        default = float(getattr(DETECTORS.load(kind).thresholds(), name))
        points = []
        for scale in SCALES:
            value = default * scale
            if name.endswith("auc"):
                value = 1 - (1 - default) / scale if default > 0.5 else min(value, 1.0)
            others: dict[str, Any] = {other: False for other in DETECTORS.names() if other != kind}
            runs = judged(loaded, {**others, kind: {name: value}})
            healthy = [bool(run.alarms) for run in runs if run.truth["outcome"] == "healthy"]
            ill = [bool(run.alarms) for run in runs if kind in run.truth["kinds"]]
            points.append((sum(healthy), sum(ill)))
        found.append(Curve(kind, name, default, len(healthy), len(ill), tuple(points)))
    return found


def roc(found: Sequence[Curve]) -> list[str]:
    """The curves as a table."""
    lines = [
        "## Thresholds",
        "",
        "Healthy runs alarmed and ill runs caught by each rule alone, as its main threshold is scaled.",
        "",
        "| kind | threshold | " + " | ".join(f"x {scale:g}" for scale in SCALES) + " |",
        "| --- | --- |" + " --- |" * len(SCALES),
    ]
    for curve in found:
        cells = [f"{alarmed}/{curve.healthy}, {caught}/{curve.ill}" for alarmed, caught in curve.points]
        lines.append(f"| {curve.kind} | {curve.threshold} = {curve.default:g} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def main() -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--archive", type=Path, default=ARCHIVE)
    parser.add_argument("--out", type=Path, default=REPORT)
    parser.add_argument("--show", action="store_true", help="print it too, with every alarm on a healthy run")
    parser.add_argument("--no-roc", action="store_true")
    options = parser.parse_args()
    loaded = load(options.runs, options.archive)
    runs = judged(loaded)
    lines = [
        "# How right the detectors are",
        "",
        "Written by `python benchmarks/detectors/judge.py`. Thresholds were chosen on the tuning half.",
        "",
    ]
    for half in ("held-out", "tuning"):
        lines += report([run for run in runs if run.truth["half"] == half], f"The {half} half")
    lines += details(runs)
    if not options.no_roc:
        lines += roc(curves([each for each in loaded if each[0]["half"] == "held-out"]))
    options.out.write_text("\n".join(lines))
    print(f"wrote {options.out}")
    if options.show:
        print("\n".join(lines))
        for run in runs:
            if run.truth["outcome"] == "healthy" and run.alarms:
                print(run.truth["configuration"], run.truth["seed"], run.alarms[0].step, run.alarms[0].message)


if __name__ == "__main__":
    main()
