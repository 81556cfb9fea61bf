"""Kill `gandiag score` at random moments and look at what it leaves: `python tools/kill_test.py [SCORE ARGUMENTS]`.

A clean run without a cache says what is right and how long it takes. Twenty runs with one cache are then killed
(SIGKILL): half of them at random moments of the run, half at random moments from when they begin to write, into a
cache that was emptied. The next run must give the same scores, bit for bit, warn of nothing broken, and leave
neither a damaged entry nor an unfinished file; so must one more, which finds everything in the cache.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gandiag.core.errors import InputError
from gandiag.statistics.cache import FORMAT
from gandiag.statistics.tensor_file import read_tensors

KILLS = 20
WRITING = 0.2  # seconds, about what the writes of the small source take
# Pixels, since their features are large: the longer a file takes to write, the more kills hit it.
SMALL = ("mnist:test", "--against", "mnist", "--metric", "kid", "--extractor", "pixels", "--samples", "2000")


def command(arguments: list[str], cache: Path | None) -> list[str]:
    keeping = ["--no-cache"] if cache is None else ["--cache", str(cache)]
    return [sys.executable, "-m", "gandiag", "score", *arguments, *keeping, "--json", "-"]


def finished(arguments: list[str], cache: Path | None) -> tuple[dict[str, Any], str, float]:
    """Scores, stderr and seconds of a run that is left alone."""
    started = time.monotonic()
    done = subprocess.run(command(arguments, cache), capture_output=True, text=True, env=environment(), check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(f"gandiag score ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)["scores"], done.stderr, seconds


def killed(arguments: list[str], cache: Path, after: float, *, from_write: bool) -> bool:
    """Start a run and kill it `after` seconds from its start, or from its first write; whether it was still going."""
    quiet = subprocess.DEVNULL
    run = subprocess.Popen(command(arguments, cache), stdout=quiet, stderr=quiet, env=environment())
    while from_write and run.poll() is None and not list(cache.glob("*")):
        time.sleep(0.001)
    try:
        run.wait(after)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()
        return True
    return False


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def problems(cache: Path) -> list[str]:
    """What is wrong with the files of a cache."""
    found = [f"{part.name} was left unfinished" for part in cache.glob(".*")]
    for entry in cache.glob("*.safetensors"):
        try:
            with entry.open("rb") as file:
                read_tensors(file, file_format=FORMAT)
        except InputError as error:
            found.append(f"{entry.name} is {error}")
    return found


def main() -> None:
    arguments = sys.argv[1:] or list(SMALL)
    right, _, seconds = finished(arguments, None)
    print(f"a clean run takes {seconds:.1f} s and gives {', '.join(right)}", flush=True)
    draw = random.Random(0)
    failures: list[str] = []
    unfinished = 0
    with tempfile.TemporaryDirectory(prefix="gandiag-kill-") as folder:
        cache = Path(folder) / "cache"
        for number in range(1, KILLS + 1):
            from_write = number % 2 == 0
            if from_write:
                for left in cache.glob("*"):
                    left.unlink()
            after = draw.uniform(0, WRITING) if from_write else seconds * draw.uniform(0.3, 1.0)
            was_running = killed(arguments, cache, after, from_write=from_write)
            parts, entries = len(list(cache.glob(".*.part"))), len(list(cache.glob("*.safetensors")))
            unfinished += parts > 0
            state = "killed" if was_running else "had ended"
            since = "its first write" if from_write else "its start"
            print(
                f"{number:2d}: {state} {after:.3f} s after {since}; {entries} entries, {parts} unfinished", flush=True
            )
            failures += [problem for problem in problems(cache) if "unfinished" not in problem]
        for title in ("the run after the kills", "the run from a full cache"):
            scores, talk, took = finished(arguments, cache)
            failures += [f"{title} warns: {line}" for line in talk.splitlines() if "cache" in line]
            failures += [f"after {title}: {problem}" for problem in problems(cache)]
            failures += [f"{title} gives another {name}" for name in right if scores.get(name) != right[name]]
            print(f"{title} took {took:.1f} s", flush=True)
    if failures:
        sys.exit("\n".join(failures))
    print(f"nothing is broken; {unfinished} of {KILLS} kills left an unfinished file, and all of those were removed")


if __name__ == "__main__":
    main()
