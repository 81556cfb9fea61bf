"""The machine and the versions that a number was made with."""

from __future__ import annotations

import importlib.metadata
import platform

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
