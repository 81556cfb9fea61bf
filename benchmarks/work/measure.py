"""Measuring: sides take turns, in one process, or each time in a fresh one where memory is measured too."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from work.model import Case, Sample, Side, Work

PEERS = Path(__file__).parent.parent / "peers.py"
Say = Callable[[str], None]


@dataclass
class Measured:
    """All that was measured of one case; `answers` are those of the first run, `failed` says who gave none and why."""

    case: Case
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def measure(
    work: Work, case: Case, sides: Sequence[Side], repeats: int, arguments: Sequence[str], say: Say
) -> Measured:
    """Measure the sides in turn, A B A B.

    Args:
        work: what to do.
        case: at which size.
        sides: those that can do it here.
        repeats: rounds.
        arguments: of the command line, that a fresh process is to have too.
        say: told what goes on.
    """
    measured = Measured(case)
    if work.fresh:
        for round_ in range(repeats):
            for side in sides:
                say(f"{work.name}, {case.name}: {side.name}, round {round_ + 1} of {repeats}")
                _measure_fresh(work, side, measured, arguments)
        return measured
    data = case.prepare()
    for side in sides:
        say(f"{work.name}, {case.name}: {side.name}, first run")
        try:
            measured.answers[side.name] = side.run(data)
        except Exception as error:  # a peer, or a compiler, may fail in any way: the others go on
            measured.failed[side.name] = _first_line(f"{type(error).__name__}: {error}")
    for round_ in range(repeats):
        for side in sides:
            if side.name in measured.failed:
                continue
            say(f"{work.name}, {case.name}: {side.name}, round {round_ + 1} of {repeats}")
            start = time.perf_counter()
            side.run(data)
            measured.samples.setdefault(side.name, []).append(Sample(time.perf_counter() - start))
    return measured


def run_child(work: Work, case: Case, side: Side) -> str:
    """Do the work once in this process, a fresh one: JSON with the time, the memory and the answer."""
    if work.small is not None:
        side.run(work.small())
    data = case.prepare()
    so_far = peak_bytes()
    forget_peak()
    before = peak_bytes()
    start = time.perf_counter()
    answer = side.run(data)
    seconds = time.perf_counter() - start
    peak = peak_bytes()
    return json.dumps({"sample": asdict(Sample(seconds, peak - before, max(so_far, peak))), "answer": answer})


def peak_bytes() -> int:
    """The most memory that this process has had at once.

    Linux counts into `ru_maxrss` what the parent held when it forked, so `VmHWM` is read where there is one.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def forget_peak() -> None:
    """Let the peak begin at what the process has now, where the system can do that; elsewhere it stays as it is."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _measure_fresh(work: Work, side: Side, measured: Measured, arguments: Sequence[str]) -> None:
    if side.name in measured.failed:
        return
    command = [sys.executable, str(PEERS), "--child", work.name, measured.case.name, side.name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [f"ended by signal {-done.returncode}"]
        measured.failed[side.name] = _first_line(reason[0])
        return
    found = json.loads(done.stdout.splitlines()[-1])
    measured.answers.setdefault(side.name, found["answer"])
    measured.samples.setdefault(side.name, []).append(Sample(**found["sample"]))


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:200]
