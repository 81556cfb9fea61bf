"""What this machine can run, and which weights and data are on it. Nothing is fetched and nothing is changed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from gandiag.core import weights
from gandiag.core.errors import MissingDataError
from gandiag.core.protocols import ExtractorOptions
from gandiag.datasets import DATASETS, load_dataset
from gandiag.evaluation import environment
from gandiag.evaluation.finding import Finding
from gandiag.extractors import EXTRACTORS, open_extractor
from gandiag.statistics.cache import default_cache_folder, entries_of

GIB, MIB = 2**30, 2**20
LITTLE_SPACE = 2 * GIB  # features of 50,000 samples and 2048 numbers are 0.4 GiB a side
REQUIREMENT = re.compile(r"^([\w.-]+)(?:\[([\w,.-]+)\])?.*?(?:extra\s*==\s*['\"]([\w.-]+)['\"].*)?$")


def examine_machine() -> list[Finding]:
    """Versions, processor, memory, GPUs, disks, the cache, and what else decides what can run here."""
    versions = environment.describe("cpu")
    packages = ", ".join(f"{name} {versions[name]}" for name in ("torch", "torchvision", "numpy", "scipy"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processor = f"{platform.machine()}, {cores} cores for this process, torch threads: {torch.get_num_threads()}"
    python = f"{platform.python_version()} on {platform.system()}"
    return [
        _ok("machine", "python", python),
        _ok("machine", "packages", f"gandiag {versions['gandiag']}, {packages}"),
        _ok("machine", "processor", f"{processor}; fp32 and bf16"),
        _memory(),
        *_gpus(),
        _processes(),
        _compiler(),
        _disk("temporary folder", Path(tempfile.gettempdir()), "TMPDIR=FOLDER gandiag ..."),
        _cache(default_cache_folder()),
    ]


def examine_weights() -> list[Finding]:
    """Each extractor: whether it can be opened here, by its own weights or by fetched ones."""
    return [_published(name) if name in weights.PUBLISHED else _opened(name) for name in EXTRACTORS.names()]


def examine_data(data_root: Path | None = None) -> list[Finding]:
    """Each dataset: whether it comes with gandiag, or is in the folder of published sets.

    Args:
        data_root: that folder, if the user has one.
    """
    return [finding for name in DATASETS.names() for finding in _dataset(name, data_root)]


def examine_extras() -> list[Finding]:
    """The optional dependencies, by the extra that brings them."""
    try:
        required = importlib.metadata.requires("gandiag") or []
    except importlib.metadata.PackageNotFoundError:
        return [Finding("extras", "gandiag", "note", "is not installed as a package: its extras are not known")]
    extras: dict[str, list[str]] = {}
    for requirement in required:
        match = REQUIREMENT.match(requirement)
        # An extra that is made of gandiag's other extras is listed by those.
        if match and match[3] and match[1] != "gandiag":
            extras.setdefault(match[3], []).append(match[1])
    return [_extra(name, packages) for name, packages in sorted(extras.items())]


def _memory() -> Finding:
    free, total = _memory_bytes()
    if total is None:
        return Finding("machine", "memory", "note", "cannot be measured on this system")
    shown = "" if free is None else f"{free / GIB:.1f} GiB free of "
    return _ok("machine", "memory", f"{shown}{total / GIB:.1f} GiB")


def _memory_bytes() -> tuple[int | None, int | None]:
    """Free and all memory, as far as the system says."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        known = {line.partition(":")[0]: 1024 * int(line.split()[1]) for line in lines if line.endswith("kB")}
        return known["MemAvailable"], known["MemTotal"]
    except (OSError, LookupError, ValueError):
        pass
    try:
        return None, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None, None


def _gpus() -> Iterator[Finding]:
    if not torch.cuda.is_available():
        built = f"torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch is built without CUDA"
        yield Finding("machine", "GPU", "note", f"none that CUDA can use ({built}): everything runs on the processor")
        return
    for index in range(torch.cuda.device_count()):
        try:
            free, total = torch.cuda.mem_get_info(index)
            about = torch.cuda.get_device_properties(index)
            memory = f"{free / GIB:.1f} GiB free of {total / GIB:.1f} GiB"
            text = f"{about.name}, {memory}, capability {about.major}.{about.minor}; fp32, tf32 and bf16"
            yield _ok("machine", f"cuda:{index}", text)
        except RuntimeError as error:  # a GPU that is there and does not answer
            remedy = "use --device cpu, or look at nvidia-smi"
            yield Finding("machine", f"cuda:{index}", "note", f"cannot be used: {_line(error)}", remedy)


def _processes() -> Finding:
    if not torch.distributed.is_available():
        return Finding("machine", "processes", "note", "torch is built without torch.distributed: one process only")
    kinds = {"Gloo": torch.distributed.is_gloo_available(), "NCCL": torch.distributed.is_nccl_available()}
    there = " and ".join(name for name, found in kinds.items() if found)
    return _ok("machine", "processes", f"torchrun can share the work, by {there or 'no known means'}")


def _compiler() -> Finding:
    compiler = next((found for name in ("g++", "clang++", "c++") if (found := shutil.which(name))), None)
    if compiler is None:
        return Finding("machine", "compiler", "note", "no C++ compiler: --compile may fail", "install g++")
    return _ok("machine", "compiler", f"{compiler}, which --compile needs")


def _disk(name: str, folder: Path, remedy: str) -> Finding:
    there = next((each for each in (folder, *folder.parents) if each.exists()), None)
    if there is None or not os.access(there, os.W_OK):
        return Finding("machine", name, "note", f"{folder} cannot be written", remedy)
    free = shutil.disk_usage(there).free
    text = f"{folder}, {free / GIB:.1f} GiB free"
    if free < LITTLE_SPACE:
        return Finding("machine", name, "note", f"{text}: little", remedy)
    return _ok("machine", name, text)


def _cache(folder: Path) -> Finding:
    finding = _disk("cache", folder, "gandiag score --cache FOLDER, or GANDIAG_CACHE=FOLDER")
    try:
        sizes = [size for _, _, size in entries_of(folder)] if folder.is_dir() else []
    except OSError as error:
        text = f"{folder} cannot be read: {error.strerror or error}"
        return Finding("machine", "cache", "note", text, finding.remedy)
    held = f"{len(sizes):,} entries, {sum(sizes) / MIB:,.1f} MiB" if sizes else "empty"
    return Finding("machine", "cache", finding.state, f"{finding.text}; {held}", finding.remedy)


def _published(name: str) -> Finding:
    about, path = weights.PUBLISHED[name], weights.path_of(name)
    size, command = f"{about.size / weights.MEGABYTE:,.0f} MB", f"gandiag weights fetch {name}"
    try:
        found = path.stat().st_size
    except OSError:
        return Finding("weights", name, "missing", f"not here ({size}, {about.licence})", command)
    # The content is checked where it is used; gigabytes of it would take doctor too long.
    if found != about.size:
        return Finding("weights", name, "failed", f"{path} has {found:,} bytes, not {about.size:,}", command)
    return Finding("weights", name, "ok", f"{path} ({size}, {about.licence})")


def _opened(name: str) -> Finding:
    try:
        info = open_extractor(name, ExtractorOptions()).info
    except MissingDataError as error:
        return Finding("weights", name, "missing", _line(error))
    except Exception as error:  # an extractor of somebody else's may fail in any way
        return Finding("weights", name, "failed", f"cannot be opened: {_line(error)}", "install its package again")
    return _ok("weights", name, "here" if info.sha256 else "needs none")


def _dataset(name: str, data_root: Path | None) -> Iterator[Finding]:
    folder = "FOLDER" if data_root is None else str(data_root)
    command = f"gandiag score {name} --metric swd --data-root {folder} --download"
    own = _samples(name, None)
    if data_root is None or isinstance(own, str):
        yield _data(name, own, command)
    if data_root is not None and (published := _samples(name, data_root)) != own:
        yield _data(f"{name}, published" if isinstance(own, str) else name, published, command)


def _samples(name: str, root: Path | None) -> str | Exception:
    """What the dataset has, or why it cannot be opened."""
    try:
        dataset = load_dataset(name, root=root)
    except Exception as error:  # a dataset of somebody else's may fail in any way
        return error
    size, shape = dataset.info.size, dataset.info.shape
    what = f"images of {' x '.join(map(str, shape))}" if len(shape) == 3 else f"points of {shape[0]} coordinates"
    return f"{what}, drawn without end" if size is None else f"{size:,} {what}"


def _data(name: str, found: str | Exception, command: str) -> Finding:
    if isinstance(found, str):
        return _ok("data", name, found)
    if isinstance(found, MissingDataError):
        return Finding("data", name, "missing", "not here", command)
    return Finding("data", name, "failed", f"cannot be opened: {_line(found)}", "install its package again")


def _extra(name: str, packages: list[str]) -> Finding:
    installed, lacking = [], []
    for package in packages:
        try:
            installed.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            lacking.append(package)
    if lacking:
        text = f"not installed: {', '.join(lacking)}"
        return Finding("extras", name, "missing", text, f"pip install 'gandiag[{name}]'")
    return _ok("extras", name, ", ".join(installed))


def _ok(topic: str, name: str, text: str) -> Finding:
    return Finding(topic, name, "ok", text)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
