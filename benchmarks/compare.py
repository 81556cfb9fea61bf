"""What a comparison costs beside scoring each source alone: `python benchmarks/compare.py CHECKPOINT...`.

Both find the features of the reference in a cache, so that what is left is what is new in each source. CPU seconds, in
turns; then the seconds of an HTML report of ten saved Results.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gandiag
from gandiag.reports.comparison import write_comparison_report


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--metric", default="fid,is,pr,modes,kid")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    metrics = options.metric.split(",")
    asked: dict[str, Any] = {"metrics": metrics, "samples": options.samples}
    ratios = []
    with tempfile.TemporaryDirectory() as place:
        warm = Path(place) / "warm"
        gandiag.score(options.checkpoints[0], metrics, samples=options.samples, seed=999, cache=warm)
        for turn in range(options.rounds):

            def fresh(name: str, turn: int = turn) -> Path:
                folder = Path(place) / f"{name}-{turn}"
                shutil.copytree(warm, folder)  # holds the reference, and no sample of this seed
                return folder

            alone = fresh("alone")
            single = sum(cpu(partial(gandiag.score, each, **asked, cache=alone)) for each in options.checkpoints)
            both = cpu(partial(gandiag.compare, options.checkpoints, **asked, cache=fresh("together")))
            ratios.append(both / single)
            print(f"compare {both:.1f} s, one by one {single:.1f} s, ratio {both / single:.3f}", flush=True)
        print(f"median ratio {statistics.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}")
        result = gandiag.score(options.checkpoints[0], metrics, samples=options.samples, cache=warm)
        ten = [replace(result, source={**result.source, "name": f"model {number}"}) for number in range(10)]
        begun = time.perf_counter()
        write_comparison_report(gandiag.compare(ten), Path(place) / "report.html")
        size = (Path(place) / "report.html").stat().st_size
        print(f"report of ten Results: {time.perf_counter() - begun:.1f} s, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
