"""gandiag and its peers on the same work: how many times faster, in how much memory, with the same answer?

    python benchmarks/peers.py                            # all but the two works that take many minutes
    python benchmarks/peers.py --all --docs               # those too, and the table into docs/benchmarks.md
    python benchmarks/peers.py --only frechet-full,prdc --repeats 7 --threads 1
    python benchmarks/peers.py --quick                    # small sizes, to see that it works; no goal counts

Sides take turns, A B A B, after a first run that is not measured. Where memory is measured, each run has a fresh
process. The ratio is that of the medians; in brackets are the least and the largest ratio of one round.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from work.model import Work

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
WIDE = 200  # columns of the table where it goes into a file
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and show; 1 if a goal is not met or answers differ, in full sizes."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.threads is not None:
        limit_threads(options.threads)
    sys.path.append(str(ROOT / "tests" / "helpers"))
    if options.child is not None:
        return _child(options)
    try:
        works = _chosen(options)
    except KeyError as error:
        parser.error(str(error.args[0]))

    from rich.console import Console
    from work import report

    run: dict[str, Any] = {"machine": report.machine(options.threads), "rows": [], "findings": [], "notes": []}
    if options.quick:
        run["notes"].append("quick sizes: the numbers say nothing of speed")
    for work in works:
        _measure(work, options, run)
    runs = [*_earlier(options.add), run]
    report.show(run, Console(width=None if sys.stdout.isatty() else WIDE))
    if options.json is not None:
        options.json.write_text(json.dumps({"runs": runs}, indent=1) + "\n", encoding="utf-8")
    if options.docs:
        report.write_docs(PAGE, runs)
    verdicts = [row["agree"] for row in run["rows"]]
    if not options.quick:
        verdicts += [row["met"] for row in run["rows"] + run["findings"]]
    return 1 if False in verdicts else 0


def limit_threads(count: int) -> None:
    """Hold both sides to so many threads: before anything is loaded, and by cores for those who start their own."""
    os.environ.update(dict.fromkeys(THREADS, str(count)))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAMES", help="works, with commas between them")
    parser.add_argument("--all", action="store_true", help="the works that take many minutes too")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--repeats", type=int, help="rounds, in place of each work's own number")
    parser.add_argument("--threads", type=int, help="threads, and cores, of both sides; as it is by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    parser.add_argument("--add", type=Path, action="append", default=[], metavar="FILE", help="an earlier --json file")
    parser.add_argument("--docs", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)}")
    parser.add_argument("--child", nargs=3, metavar=("WORK", "CASE", "SIDE"), help=argparse.SUPPRESS)
    return parser


def _chosen(options: argparse.Namespace) -> list[Work]:
    from work import GROUPS, WORKS, make

    if options.only is None:
        works = [make(name, options.quick) for name in WORKS]
        return [work for work in works if options.all or not work.heavy]
    names = [name for asked in options.only.split(",") for name in GROUPS.get(asked, (asked,))]
    for name in names:
        if name not in WORKS:
            raise KeyError(f"there is no work {name!r}; there are {', '.join((*WORKS, *GROUPS))}")
    return [make(name, options.quick) for name in names]


def _measure(work: Work, options: argparse.Namespace, run: dict[str, Any]) -> None:
    """Measure one work and add its rows, findings and notes."""
    from work import report
    from work.measure import measure

    sides = [side for side in work.sides if not side.missing]
    absent = [side for side in work.sides if side.missing]
    notes = {f"{side.name} is left out: {', '.join(side.missing)} is not installed": None for side in absent}
    passed = ["--quick"] * options.quick + (["--threads", str(options.threads)] if options.threads else [])
    samples = {}
    for case in work.cases:
        measured = measure(work, case, sides, options.repeats or work.repeats, passed, _say)
        run["rows"] += report.rows(work, measured)
        samples[case.name] = measured.samples
        for name, reason in measured.failed.items():
            notes[f"{work.name}, {case.name}: {name} failed: {reason}"] = None
    whole = all(all(found.values()) and found for found in samples.values())
    if whole:
        run["findings"] += [report.finding_row(work, finding) for finding in work.study(samples)]
    run["notes"] += [note for note in notes if note not in run["notes"]]


def _child(options: argparse.Namespace) -> int:
    from work import make
    from work.measure import run_child

    name, case_name, side_name = options.child
    work = make(name, options.quick)
    case = next(case for case in work.cases if case.name == case_name)
    side = next(side for side in work.sides if side.name == side_name)
    print(run_child(work, case, side))
    return 0


def _earlier(files: Sequence[Path]) -> list[dict[str, Any]]:
    return [run for file in files for run in json.loads(file.read_text(encoding="utf-8"))["runs"]]


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
