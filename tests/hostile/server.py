"""Runs command lines, each in a fork of one process that has PyTorch loaded: a start takes seconds, a fork none.

It reads one JSON object a line, `{"words": [...], "folder": ..., "stdin": ...}`, and answers each with one.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

ROOM = 8 << 30  # bytes of address space beyond what is taken: a leak must not take the machine with it
WAIT = 45.0  # seconds until a command is taken to hang; its CPU time tells more on a busy machine


def run(job: dict[str, Any]) -> dict[str, Any]:
    """How one command line ended."""
    folder = Path(job["folder"])
    out, err = folder / "stdout", folder / "stderr"
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _become(job, folder, out, err)
    ended, status, usage = 0, 0, None
    while not ended and time.monotonic() - started < job.get("wait", WAIT):
        ended, status, usage = os.wait4(child, os.WNOHANG)
        time.sleep(0.005)
    hung = not ended
    if hung:
        os.killpg(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
    return {
        "code": None if hung else os.waitstatus_to_exitcode(status),
        "seconds": time.monotonic() - started,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss << 10,
        "out": _text(out),
        "err": _text(err),
    }


def _text(path: Path) -> str:
    with path.open("rb") as opened:
        return opened.read(1 << 20).decode("utf-8", "replace")


def _become(job: dict[str, Any], folder: Path, out: Path, err: Path) -> None:
    code = 99
    try:
        os.setpgid(0, 0)
        signal.alarm(120)
        taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, taken + ROOM))
        for number, path, flags in (
            (0, job.get("stdin", os.devnull), os.O_RDONLY),
            (1, out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
            (2, err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        ):
            opened = os.open(path, flags, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        os.chdir(folder / "work")
        from gandiag.cli.main import main

        main(job["words"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 98
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    """Answer until the input ends."""
    import h5py
    import onnxruntime
    import pyarrow.parquet
    import torch

    import reference_models.trainer  # noqa: F401
    from gandiag.extractors import EXTRACTORS
    from gandiag.metrics import METRICS
    from gandiag.sources.formats import FORMATS

    for registry in (METRICS, EXTRACTORS, FORMATS):
        for name in registry.names():
            registry.load(name)
    torch.set_num_threads(1)
    del h5py, onnxruntime, pyarrow
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(run(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
