"""The machine and the versions that a number was made with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from gandiag._version import __version__
from gandiag.core.errors import UsageError, shown
from gandiag.core.protocols import Precision


def describe(device: str) -> dict[str, str | int]:
    """Versions, threads and device, as they go into a Result."""
    versions = {name: importlib.metadata.version(name) for name in ("torch", "torchvision", "numpy", "scipy")}
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.machine()
    return {
        "gandiag": __version__,
        "python": platform.python_version(),
        **versions,
        "platform": platform.system(),
        "device": name,
        "threads": torch.get_num_threads(),
    }


def resolve_device(device: str, precision: Precision = "fp32") -> str:
    """`auto` turned into `cuda` or `cpu`.

    Raises:
        UsageError: no such device, or one that cannot do the precision.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (index and not (kind == "cuda" and index.isdecimal())):
        raise UsageError(f"the device {shown(device)} is not known; expected auto, cpu, cuda or cuda:INDEX")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError("the device cuda was asked for, and no CUDA GPU is available; use --device cpu")
    if index and int(index) >= torch.cuda.device_count():
        message = f"the device {device} was asked for, and there are {torch.cuda.device_count()} GPUs"
        raise UsageError(f"{message}; they are numbered from 0")
    if kind == "cpu" and precision == "tf32":
        raise UsageError("the precision tf32 needs a CUDA GPU; use fp32 or bf16 on a CPU")
    return device


@contextmanager
def processes(device: str) -> Iterator[tuple[str, bool]]:
    """Join the other processes that `torchrun` has started, if it has.

    Gives this process's own device, and whether it is the first, which speaks for all.

    Raises:
        UsageError: there are more processes than GPUs, or they cannot be joined.
    """
    if _number("WORLD_SIZE", 1) == 1 or torch.distributed.is_initialized():
        yield device, True
        return
    local = _number("LOCAL_RANK", 0)
    if device in ("auto", "cuda") and torch.cuda.is_available():
        if local >= torch.cuda.device_count():
            raise UsageError(f"process {local} has no GPU of its own: start at most {torch.cuda.device_count()}")
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    try:
        torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    except (ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        message = f"cannot join the {os.environ['WORLD_SIZE']} processes that WORLD_SIZE names ({reason})"
        raise UsageError(f"{message}; start them with torchrun, or unset WORLD_SIZE") from error
    try:
        yield device, torch.distributed.get_rank() == 0
    finally:
        torch.distributed.destroy_process_group()


def _number(variable: str, default: int) -> int:
    said = os.environ.get(variable, str(default))
    if not (said.isascii() and said.isdecimal() and len(said) < 10):
        raise UsageError(f"the environment variable {variable} is {shown(said)}, expected a whole number; unset it")
    return int(said)
