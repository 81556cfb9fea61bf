"""Programs in strangers' files: TorchScript, exported programs, ONNX. What they print is dropped, and the first sample
that they make is watched, since a program may compute for ever or take all memory.

No thread can be stopped from outside. One that goes beyond a limit is left behind, and ends with the process, which
`abandoned` tells whoever ends it.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gandiag.core.abandoned import WATCHED
from gandiag.core.errors import HostileFileError

SECONDS = 4.0  # for the first sample on a CPU, or for loading
ACCELERATED = 60.0  # the same on an accelerator, whose libraries are loaded then
MEMORY = 5 << 28  # bytes beyond what the process has already
NUMBERS = 1 << 24  # in a sample
UNBOUNDED = "GANDIAG_UNBOUNDED"
ADVICE = f"if you trust whoever made it, {UNBOUNDED}=1 lets it"


class Program:
    """A stranger's function of tensors.

    Args:
        function: takes tensors of n rows.
        title: what to call it in messages.
    """

    def __init__(self, function: Callable[..., Any], title: str) -> None:
        self._function, self._title, self._known = function, title, False

    def __call__(self, *arguments: Tensor) -> Any:
        with silenced():
            if not self._known and arguments:
                # One sample first. Where it does not take one alone, all of them are watched.
                self._try(*(argument[:1] for argument in arguments))
                if not self._known:
                    self._try(*arguments)
            return self._function(*arguments)

    def _try(self, *arguments: Tensor) -> None:
        """Run it in sight; what it cannot take is told by the call that follows."""
        inference = torch.is_inference_mode_enabled()

        def work() -> Any:
            with torch.inference_mode(inference):
                return self._function(*arguments)

        try:
            found = watched(work, self._title, SECONDS if arguments[0].device.type == "cpu" else ACCELERATED)
        except HostileFileError:
            raise
        except Exception:
            return
        if isinstance(found, Tensor) and found.numel() > NUMBERS * len(arguments[0]) and not _unbounded():
            message = f"{self._title} gives {found.numel():,} numbers for a sample, and the most are {NUMBERS:,}"
            raise HostileFileError(f"{message}; {ADVICE}")
        self._known = True


def watched(work: Callable[[], Any], title: str, seconds: float = SECONDS, memory: int = MEMORY) -> Any:
    """What some work gives.

    Raises:
        HostileFileError: it takes too long, or too much memory.
    """
    if _unbounded():
        return work()
    found: list[Any] = []
    failed: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            failed.append(error)
        finally:
            done.set()

    before, started = _resident(), time.monotonic()
    thread = threading.Thread(target=run, name=WATCHED, daemon=True)
    thread.start()
    while not done.wait(0.02):
        if time.monotonic() - started > seconds:
            raise HostileFileError(f"{title} computes for over {seconds:.3g} s, and maybe for ever; {ADVICE}")
        if _resident() - before > memory:
            raise HostileFileError(f"{title} takes more than {memory / 2**30:.3g} GiB of memory; {ADVICE}")
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Nothing is printed, and no warning shown: it would spoil what gandiag prints, or write to the terminal."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _unbounded() -> bool:
    return os.environ.get(UNBOUNDED) == "1"


def _resident() -> int:
    """Bytes of memory that the process has; on systems that do not say, 0, and memory is not watched."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
