"""Kill `gandiag train` at random moments and go on: `python tools/kill_train.py [--kills N] [RECIPE[:DATASET] ...]`.

A run that is left alone says what is right. Others are killed (SIGKILL) at a random moment between their start and
their end, some of them again and again; what is in the folder goes on with `--resume`, or from the beginning where the
kill came before the first save. Each must end with the same weights, moments and averages, bit for bit.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

SETS = ("steps=48", "save_every=4", "preview_every=7", "batch_size=16")
AGAIN = 3  # of how many runs one is killed a second and a third time


def command(recipe: str, dataset: str, folder: Path, *, resume: bool) -> list[str]:
    sets = [part for each in SETS for part in ("--set", each)]
    said = ["--dataset", dataset, "--out", str(folder), "--seed", "1", "--device", "cpu", *sets]
    return [sys.executable, "-m", "gandiag", "train", recipe, *said, *(["--resume"] if resume else [])]


def leaves(content: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """All tensors and plain values of a saved state, but the seconds that it took."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from leaves(value, f"{name}.{key}") if key != "seconds" else ()
    elif isinstance(content, list | tuple):
        for place, value in enumerate(content):
            yield from leaves(value, f"{name}.{place}")
    else:
        yield name, content


def state(folder: Path) -> dict[str, Any]:
    return dict(leaves(torch.load(folder / "state.pt", weights_only=True)))


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) if isinstance(value, torch.Tensor) else value == other[name]
        for name, value in one.items()
    )


def begun(recipe: str, dataset: str, folder: Path) -> subprocess.Popen[bytes]:
    resume = (folder / "state.pt").exists()
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command(recipe, dataset, folder, resume=resume),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
    )


def ended(process: subprocess.Popen[bytes]) -> None:
    _, told = process.communicate()
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {told.decode()[-2000:]}")


def test(recipe: str, dataset: str, kills: int, home: Path) -> int:
    """How many of the killed runs ended elsewhere than the whole one."""
    began = time.monotonic()
    ended(begun(recipe, dataset, home / "whole"))
    seconds, right, wrong, killed, late = time.monotonic() - began, state(home / "whole"), 0, 0, 0
    for run in range(kills):
        folder = home / f"killed-{run}"
        for _ in range(3 if run % AGAIN == 0 else 1):
            process = begun(recipe, dataset, folder)
            # Half of the moments lie where steps are made and saved; loading takes long.
            time.sleep(random.uniform(0 if random.random() < 0.5 else seconds / 2, seconds))
            late += process.poll() is not None
            killed += process.poll() is None
            process.kill()
            process.communicate()
        ended(begun(recipe, dataset, folder))
        wrong += not same(state(folder), right)
        shutil.rmtree(folder)
    print(
        f"{recipe} on {dataset}: {kills} runs, {killed} kills, {late} came too late; {wrong} ended elsewhere",
        flush=True,
    )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=["vanilla:ring8", "dcgan:mnist", "r3gan:stacked-mnist"])
    parser.add_argument("--kills", type=int, default=20, help="runs that are killed, of each recipe")
    options = parser.parse_args()
    wrong = 0
    for each in options.recipes:
        recipe, _, dataset = each.partition(":")
        with tempfile.TemporaryDirectory() as home:
            wrong += test(recipe, dataset or "mnist", options.kills, Path(home))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
